//! `cargo fuzz run -s none --features peers wire`
#![no_main]

libfuzzer_sys::fuzz_target!(init: acumen_fuzz::seeds::write("wire"), |data: &[u8]| acumen_chain_bft::fuzz::wire(data));
