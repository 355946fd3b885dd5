//! `cargo fuzz run -s none message`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| acumen_fuzz::message(data));
