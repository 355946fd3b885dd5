//! `cargo fuzz run -s none piece`
#![no_main]

libfuzzer_sys::fuzz_target!(init: acumen_fuzz::seeds::write("piece"), |data: &[u8]| acumen_fuzz::piece(data));
