#![no_main]

#[path = "../../tests/corpus/draw.rs"]
#[allow(dead_code)] // each property draws in its own way
mod draw;
#[path = "../../tests/corpus/seccomp.rs"]
mod seccomp;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| seccomp::holds(bytes));
