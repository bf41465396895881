//! The program as a user calls it.

mod bench;
mod classify;
mod convert;
mod description;
mod download;
mod evaluate;
mod help;
mod info;
mod inspect;
mod profile;
mod server;
mod support;
