//! `cargo fuzz run -s none header`
#![no_main]

libfuzzer_sys::fuzz_target!(init: acumen_fuzz::seeds::write("header"), |data: &[u8]| acumen_fuzz::header(data));
