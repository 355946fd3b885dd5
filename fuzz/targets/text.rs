//! `cargo fuzz run -s none text`
#![no_main]

libfuzzer_sys::fuzz_target!(init: acumen_fuzz::seeds::write("text"), |data: &[u8]| acumen_fuzz::text(data));
