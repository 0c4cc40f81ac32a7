//! What the targets have in common: machines to plan for, what every error must be, and a mutator that
//! keeps JSON whole.

pub mod complaints;
pub mod machines;
pub mod mutate;
