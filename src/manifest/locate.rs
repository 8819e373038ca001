//! stub
use std::path::PathBuf;
pub struct Places{pub user:PathBuf}
