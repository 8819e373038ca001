#![no_main]

#[path = "../../tests/corpus/matching.rs"]
mod matching;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| matching::holds(bytes));
