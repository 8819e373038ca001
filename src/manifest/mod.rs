//! Text to Policy. Floor 3; imports the model and the reports.
//!
//! A manifest is a TOML file with a closed grammar. [`parse()`] turns one file
//! into a [`Manifest`](crate::model::Manifest) or into everything that is
//! wrong with it at once, each finding with its place: people mend a file in
//! one go, not by running the program ten times. `keys` is the grammar, one
//! row per key, `shape` what a row's value is made of and `about` a sentence
//! on it; `schema` says the same to editors. `values` says what the texts inside may look like; `reader`
//! checks types and keeps origins; `syntax` puts what the TOML parser found
//! into our words; `source` knows lines and columns.
//!
//! [`locate`] finds and opens the files of an application, lowest layer
//! first, and refuses those that somebody else could have written. [`stack`]
//! lays them over each other, presets beneath the file that names them, and
//! folds the pile into one [`Policy`](crate::model::Policy).
//!
//! [`edit`] changes a manifest's text key by key, [`naming`] knows what flags
//! call the keys, [`entries`] writes a list as a manifest would, and [`keep`]
//! puts the person's own file in its place.
//!
//! Reading a manifest touches nothing: no path that one names is looked at
//! here. Whether a path exists, and what it leads to, is the host's business
//! and is asked further up.

mod about;
pub mod change;
pub mod closest;
mod compound;
pub mod edit;
pub mod entries;
pub mod keep;
mod keys;
pub mod locate;
pub mod naming;
mod parse;
mod reader;
mod schema;
mod shape;
pub(crate) mod source;
pub mod stack;
mod syntax;
mod values;

pub use keys::names;
pub use locate::Places;
pub use parse::{LARGEST, parse};
pub use schema::schema;
pub use stack::{Target, policy};
