//! libFuzzer for `fuzz::sip_agent`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::sip_agent::run(data));
