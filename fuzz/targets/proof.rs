//! `cargo fuzz run -s none proof`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| acumen_fuzz::proof(data));
