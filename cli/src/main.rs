//! Classifies pictures with ShuffleNet v2.

mod decode;

fn main() {}
