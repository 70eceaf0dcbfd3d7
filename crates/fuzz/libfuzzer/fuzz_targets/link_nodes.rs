//! libFuzzer for `fuzz::link_nodes`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::link_nodes::run(data));
