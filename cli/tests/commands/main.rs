//! The program as a user calls it.

mod bench;
mod class_folders;
mod classify;
mod convert;
mod description;
mod download;
mod download_tls;
mod evaluate;
mod help;
mod info;
mod inspect;
mod profile;
mod server;
mod support;
