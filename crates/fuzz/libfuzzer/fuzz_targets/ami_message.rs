//! libFuzzer for `fuzz::ami_message`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::ami_message::run(data));
