//! Stage 1, parse and validate: a bundle's `config.json` becomes a [`config::Spec`] that is known
//! to make sense, or an error that lists everything that does not.

pub mod annotations;
pub mod bundle;
pub mod config;
pub mod gvariant;
pub mod idmap;
pub(crate) mod scheduling;
pub mod validate;
