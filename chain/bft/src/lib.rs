//! Byzantine fault tolerant ordering by Malachite, behind types of our own.
#![forbid(unsafe_code)]
