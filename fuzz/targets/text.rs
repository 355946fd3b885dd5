//! `cargo fuzz run -s none text`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| acumen_fuzz::text(data));
