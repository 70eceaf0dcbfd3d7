//! libFuzzer for `fuzz::lamp_notify`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::lamp_notify::run(data));
