//! stub
pub struct Target;pub fn policy(){}
