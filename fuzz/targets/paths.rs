#![no_main]

#[path = "../../tests/corpus/paths.rs"]
mod paths;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| paths::holds(bytes));
