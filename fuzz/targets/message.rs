//! `cargo fuzz run -s none message`
#![no_main]

libfuzzer_sys::fuzz_target!(init: acumen_fuzz::seeds::write("message"), |data: &[u8]| acumen_fuzz::message(data));
