//! libFuzzer for `fuzz::link_frame`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::link_frame::run(data));
