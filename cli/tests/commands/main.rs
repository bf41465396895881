//! The program as a user calls it.

mod classify;
mod convert;
mod evaluate;
mod help;
mod info;
mod inspect;
mod support;
