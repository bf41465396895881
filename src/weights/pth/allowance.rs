//! How much memory a file may still ask for.

use crate::Error;

/// Memory that reading may still take, in bytes.
///
/// A pickle makes a value with one byte of code, so what reading takes cannot be told from the file
/// beforehand; instead every growth is paid from an amount in proportion to the file, and a file that
/// asks for more is refused. Real checkpoints use about a quarter of it: they consist of data.
pub(super) struct Allowance(usize);

impl Allowance {
    pub(super) fn new(bytes: usize) -> Allowance {
        Allowance(bytes)
    }

    pub(super) fn extend(&mut self, bytes: usize) {
        self.0 = self.0.saturating_add(bytes);
    }

    pub(super) fn take(&mut self, bytes: usize) -> Result<(), Error> {
        match self.0.checked_sub(bytes) {
            Some(rest) => {
                self.0 = rest;
                Ok(())
            }
            None => Err(Error::format("checkpoint", "it asks for too much memory for its size")),
        }
    }

    /// A vector of fixed capacity.
    pub(super) fn vec<T>(&mut self, capacity: usize) -> Result<Vec<T>, Error> {
        self.take(capacity.saturating_mul(size_of::<T>()))?;
        Ok(Vec::with_capacity(capacity))
    }

    /// Pushes, growing by a quarter: doubling would take too much of the allowance in advance.
    pub(super) fn push<T>(&mut self, vec: &mut Vec<T>, value: T) -> Result<(), Error> {
        if vec.len() == vec.capacity() {
            let more = 16 + vec.len() / 4;
            self.take(more * size_of::<T>())?;
            vec.reserve_exact(more);
        }
        vec.push(value);
        Ok(())
    }
}
