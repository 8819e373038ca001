//! Plans and policies in the terms of other sandboxes. Floor 6: what a plan
//! is frozen to is part of what is written.

pub mod bwrap;
pub mod flatpak;
