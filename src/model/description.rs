//! What is known of a model beside its shape and its weights.

use super::Preprocessing;

/// How pictures are prepared for a model, what its classes are called, and where it comes from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Description {
    pub preprocessing: Preprocessing,
    /// One for each class, or none.
    pub labels: Vec<Box<str>>,
    pub provenance: Option<Box<str>>,
}
