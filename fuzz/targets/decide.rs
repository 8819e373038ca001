#![no_main]

#[path = "../../tests/corpus/decide.rs"]
mod decide;
#[path = "../../tests/corpus/draw.rs"]
#[allow(dead_code)] // each property draws in its own way
mod draw;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| decide::holds(bytes));
