//! Element types, as files name them.

use std::fmt;

/// The type of a tensor's elements. A network's own tensors are [`F64`](Dtype::F64),
/// [`F32`](Dtype::F32), [`F16`](Dtype::F16) or [`Bf16`](Dtype::Bf16); the others stand beside them in
/// files (`num_batches_tracked`, optimizer state).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[allow(missing_docs, reason = "each says what it is")]
pub enum Dtype {
    F64,
    F32,
    F16,
    Bf16,
    I64,
    I32,
    I16,
    I8,
    U64,
    U32,
    U16,
    U8,
    Bool,
    F8E4m3,
    F8E5m2,
    Complex64,
    Complex128,
}

/// Type, name in safetensors, storage class in PyTorch (where one is written), bytes.
const TABLE: [(Dtype, &str, &str, usize); 17] = [
    (Dtype::F64, "F64", "DoubleStorage", 8),
    (Dtype::F32, "F32", "FloatStorage", 4),
    (Dtype::F16, "F16", "HalfStorage", 2),
    (Dtype::Bf16, "BF16", "BFloat16Storage", 2),
    (Dtype::I64, "I64", "LongStorage", 8),
    (Dtype::I32, "I32", "IntStorage", 4),
    (Dtype::I16, "I16", "ShortStorage", 2),
    (Dtype::I8, "I8", "CharStorage", 1),
    (Dtype::U64, "U64", "", 8),
    (Dtype::U32, "U32", "", 4),
    (Dtype::U16, "U16", "", 2),
    (Dtype::U8, "U8", "ByteStorage", 1),
    (Dtype::Bool, "BOOL", "BoolStorage", 1),
    (Dtype::F8E4m3, "F8_E4M3", "", 1),
    (Dtype::F8E5m2, "F8_E5M2", "", 1),
    (Dtype::Complex64, "C64", "ComplexFloatStorage", 8),
    (Dtype::Complex128, "C128", "ComplexDoubleStorage", 16),
];

impl Dtype {
    /// Bytes of one element.
    pub fn size(self) -> usize {
        TABLE[self as usize].3
    }

    /// Whether a network's weights can have this type.
    pub fn is_weight(self) -> bool {
        matches!(self, Dtype::F64 | Dtype::F32 | Dtype::F16 | Dtype::Bf16)
    }

    /// The type's name in a safetensors header.
    pub(super) fn safetensors(self) -> &'static str {
        TABLE[self as usize].1
    }

    pub(super) fn from_safetensors(name: &str) -> Option<Dtype> {
        TABLE.iter().find(|row| row.1 == name).map(|row| row.0)
    }

    /// From the name of a storage class in Python's module `torch`.
    #[cfg(feature = "pth")]
    pub(super) fn from_storage(class: &[u8]) -> Option<Dtype> {
        TABLE.iter().find(|row| !class.is_empty() && row.2.as_bytes() == class).map(|row| row.0)
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.safetensors().to_ascii_lowercase())
    }
}

/// The number that an f16 stands for.
pub(super) fn f16(bits: u16) -> f64 {
    let (sign, magnitude) = (u64::from(bits >> 15), u64::from(bits & 0x7fff));
    let magnitude = match magnitude >> 10 {
        0 => (magnitude as f64 / (1 << 24) as f64).to_bits(),
        0x1f => magnitude << 42 | f64::INFINITY.to_bits(),
        // The same fields, wider, and the exponent counted from another zero.
        _ => (magnitude << 42) + ((1023 - 15) << 52),
    };
    f64::from_bits(sign << 63 | magnitude)
}

/// The number that a bf16 stands for: the upper half of an f32.
pub(super) fn bf16(bits: u16) -> f64 {
    f32::from_bits(u32::from(bits) << 16).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition: the widths of the fields give the rest.
    fn by_definition(bits: u16, exponent_bits: u32) -> f64 {
        let fraction_bits = 15 - exponent_bits;
        let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
        let largest = (1 << exponent_bits) - 1;
        let exponent = i32::from(bits >> fraction_bits) & largest;
        let fraction = f64::from(bits & ((1 << fraction_bits) - 1));
        let one = f64::from(1 << fraction_bits);
        let bias = largest / 2;
        match (exponent, fraction) {
            (0, _) => sign * fraction / one * 2f64.powi(1 - bias),
            (e, 0.0) if e == largest => sign * f64::INFINITY,
            (e, _) if e == largest => f64::NAN,
            (e, _) => sign * (one + fraction) / one * 2f64.powi(e - bias),
        }
    }

    #[test]
    fn all_halves_are_converted_exactly() {
        for bits in 0..=u16::MAX {
            for (found, exponent_bits) in [(f16(bits), 5), (bf16(bits), 8)] {
                let expected = by_definition(bits, exponent_bits);
                let same = found.to_bits() == expected.to_bits();
                assert!(same || found.is_nan() && expected.is_nan(), "{bits:#06x}: {found}");
            }
        }
        let largest_and_smallest = [f16(0x7bff), f16(0x0001), bf16(0x7f7f), bf16(0x0001)];
        let expected = [65504.0, 2f64.powi(-24), 255.0 * 2f64.powi(120), 2f64.powi(-133)];
        assert_eq!(largest_and_smallest, expected);
    }

    #[test]
    fn the_table_stands_in_the_order_of_the_type() {
        for (i, row) in TABLE.iter().enumerate() {
            assert_eq!(row.0 as usize, i);
            assert_eq!(Dtype::from_safetensors(row.1), Some(row.0));
        }
        assert_eq!(Dtype::Bf16.to_string(), "bf16");
    }
}
