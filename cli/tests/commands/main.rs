//! The program as a user calls it.

mod classify;
mod convert;
mod download;
mod help;
mod info;
mod inspect;
mod server;
mod support;
