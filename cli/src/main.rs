//! Classifies pictures with ShuffleNet v2.

fn main() {}
