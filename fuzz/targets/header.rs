//! `cargo fuzz run -s none header`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| acumen_fuzz::header(data));
