//! The program as a user calls it.

mod classify;
mod convert;
mod help;
mod info;
mod inspect;
mod support;
