//! The decisions, without I/O: time is an argument, in milliseconds since the start or seconds since the Unix epoch as
//! the names say.

pub mod address;
pub mod book;
pub mod links;
pub mod rate;
pub mod record;
pub mod relays;
pub mod reputation;
