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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_stands_in_the_order_of_the_type() {
        for (i, row) in TABLE.iter().enumerate() {
            assert_eq!(row.0 as usize, i);
            assert_eq!(Dtype::from_safetensors(row.1), Some(row.0));
        }
        assert_eq!(Dtype::Bf16.to_string(), "bf16");
    }
}
