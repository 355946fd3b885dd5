//! `cargo fuzz run -s none proof`
#![no_main]

libfuzzer_sys::fuzz_target!(init: acumen_fuzz::seeds::write("proof"), |data: &[u8]| acumen_fuzz::proof(data));
