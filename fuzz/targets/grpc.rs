//! `cargo fuzz run -s none grpc`
#![no_main]

libfuzzer_sys::fuzz_target!(init: acumen_fuzz::seeds::write("grpc"), |data: &[u8]| acumen_fuzz::grpc(data));
