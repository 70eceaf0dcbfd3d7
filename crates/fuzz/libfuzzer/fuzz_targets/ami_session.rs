//! libFuzzer for `fuzz::ami_session`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::ami_session::run(data));
