//! libFuzzer for `fuzz::exporter_config`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::exporter_config::run(data));
