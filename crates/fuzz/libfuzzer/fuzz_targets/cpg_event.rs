//! libFuzzer for `fuzz::cpg_event`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::cpg_event::run(data));
