//! Decimal numbers to floats: the standard library's way, which takes any number of digits, is 13 kB of code and
//! tables, and nothing else in the C library needs it.

/// The float nearest to a number of JSON's form; none for more than 19 digits beside zeros in front, or so many that
/// they exceed 64 bits, or an exponent beyond 27 either way when the digits are read as an integer.
pub(super) fn parse(text: &str) -> Option<f64> {
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text),
    };
    let (digits, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let fraction = fraction.trim_end_matches('0');
    let mut mantissa = 0u64;
    for digit in whole.bytes().chain(fraction.bytes()) {
        let digit = char::from(digit).to_digit(10)?;
        mantissa = mantissa.checked_mul(10)?.checked_add(digit.into())?;
    }
    if mantissa == 0 {
        return Some(0.0 * sign);
    }
    let exponent: i32 = exponent.parse().ok()?;
    let exponent = exponent.checked_sub(i32::try_from(fraction.len()).ok()?)?;
    let fives = Some(exponent.unsigned_abs()).filter(|&n| n <= 27)?;
    // Below 2^63: a product with the digits is exact in 128 bits, and a quotient of them has 63 bits or more.
    let fives = 5u128.pow(fives);
    let (mantissa, power) = match exponent {
        0.. => (u128::from(mantissa) * fives, exponent),
        _ => {
            let shift = mantissa.leading_zeros() + 64;
            let shifted = u128::from(mantissa) << shift;
            // What is left over only breaks ties.
            let rest = u128::from(!shifted.is_multiple_of(fives));
            ((shifted / fives) | rest, exponent - shift as i32)
        }
    };
    Some(sign * mantissa as f64 * f64::from_bits(((1023 + power) as u64) << 52))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_does_not_fit_is_none() {
        for text in [
            "18446744073709551616",
            "1e28",
            "1e-28",
            "0.1e-27",
            "1e99999999999",
            "1e400",
            "NaN",
            "inf",
            "1,",
            "1e-5 ",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
        let most = "18446744073709551615e27";
        assert_eq!(parse(most), most.parse().ok());
    }

    proptest! {
        #[test]
        fn floats_are_the_standard_librarys(
            negative: bool,
            digits in 0u64..,
            point in 0usize..=20,
            exponent in -27i32..=27,
        ) {
            let mut digits = digits.to_string();
            if point < digits.len() {
                digits.insert(digits.len() - point, '.');
            }
            let digits = digits.strip_prefix('.').map(|rest| format!("0.{rest}")).unwrap_or(digits);
            let sign = if negative { "-" } else { "" };
            for text in [format!("{sign}{digits}"), format!("{sign}{digits}e{exponent}")] {
                if let Some(number) = parse(&text) {
                    let expected: f64 = text.parse().unwrap();
                    prop_assert_eq!(number.to_bits(), expected.to_bits(), "{}", text);
                } else {
                    prop_assert!(text.contains('e'), "{}", text);
                }
            }
        }

        #[test]
        fn every_f32_in_full_is_read(number in 1e-9f32..1e9) {
            let number = f64::from(number);
            for text in [format!("{number}"), format!("{number:e}")] {
                prop_assert_eq!(parse(&text), Some(number), "{}", text);
            }
        }
    }
}
