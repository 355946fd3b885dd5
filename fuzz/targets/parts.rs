//! `cargo fuzz run -s none --features peers parts`
#![no_main]

libfuzzer_sys::fuzz_target!(init: acumen_fuzz::seeds::write("parts"), |data: &[u8]| acumen_chain_bft::fuzz::parts(data));
