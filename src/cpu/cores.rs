//! Some of the machine's CPUs.

use crate::Error;
use std::fmt;

/// Which CPUs threads may use, by the operating system's numbers; never none.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cores([u64; Cores::MOST / 64]);

impl Cores {
    /// Numbers are below it.
    pub const MOST: usize = 1024;

    /// Whether this system lets a program choose: Linux and Android.
    pub const SUPPORTED: bool = cfg!(any(target_os = "android", target_os = "linux"));

    /// The CPUs of these numbers, as `/sys/devices/system/cpu` counts them.
    ///
    /// # Errors
    /// [`Error::Argument`] for no number, or one of [`Cores::MOST`] or more.
    pub fn new(numbers: impl IntoIterator<Item = usize>) -> Result<Cores, Error> {
        let mut words = [0; Cores::MOST / 64];
        for number in numbers {
            let Some(word) = words.get_mut(number / 64) else {
                let expected = format!("CPUs below {}", Cores::MOST);
                return Err(Error::argument("cores", format!("CPU {number}"), expected));
            };
            *word |= 1 << (number % 64);
        }
        if words.iter().all(|&word| word == 0) {
            return Err(Error::argument("cores", "none", "at least one CPU"));
        }
        Ok(Cores(words))
    }

    /// Their numbers, ascending.
    pub fn numbers(&self) -> impl Iterator<Item = usize> {
        let is_set = |number: &usize| self.0[number / 64] >> (number % 64) & 1 == 1;
        (0..Cores::MOST).filter(is_set)
    }
}

impl fmt::Debug for Cores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.numbers()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_are_those_that_were_named() {
        let cores = Cores::new([70, 3, 1023, 3]).unwrap();
        assert_eq!(cores.numbers().collect::<Vec<_>>(), [3, 70, 1023]);
        assert_eq!(format!("{cores:?}"), "{3, 70, 1023}");
        let refused =
            |numbers: &[usize]| Cores::new(numbers.iter().copied()).unwrap_err().to_string();
        assert_eq!(refused(&[]), "cores is none, expected at least one CPU");
        assert_eq!(refused(&[0, 1024]), "cores is CPU 1024, expected CPUs below 1024");
        assert_eq!(
            refused(&[usize::MAX]),
            format!("cores is CPU {}, expected CPUs below 1024", usize::MAX)
        );
    }
}
