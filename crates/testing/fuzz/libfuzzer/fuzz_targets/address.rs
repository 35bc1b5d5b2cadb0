#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| capt_fuzz::address(data));
