//! `cargo fuzz run -s none --features peers log`
#![no_main]

libfuzzer_sys::fuzz_target!(init: acumen_fuzz::seeds::write("log"), |data: &[u8]| acumen_chain_bft::fuzz::log(data));
