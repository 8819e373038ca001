//! Turns a plan into what the kernel takes: integers, words and descriptors,
//! all made before the sandbox is cloned.

pub mod seccomp;
