#![no_main]

#[path = "../../tests/corpus/auth.rs"]
mod auth;
#[path = "../../tests/corpus/draw.rs"]
#[allow(dead_code)] // each property draws in its own way
mod draw;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| auth::holds(bytes));
