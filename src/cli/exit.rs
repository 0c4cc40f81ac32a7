//! Why parsing ended without a command: help, the version, or a mistake.

use super::LogOptions;
use crate::error::Error;

/// Why there is nothing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    /// Help or the version was asked for: print it to standard output; the status is 0.
    Print(String),
    /// The call makes no sense, or asks for what this release does not have.
    Refuse {
        /// What is wrong, for standard error and the log; its exit status is 1.
        error: Error,
        /// The log, where its flags could be read.
        log: Option<LogOptions>,
    },
}

impl Exit {
    /// What is printed, as it is printed.
    pub fn text(&self) -> String {
        match self {
            Exit::Print(text) => text.clone(),
            Exit::Refuse { error, .. } => format!("tierce: {error}\n"),
        }
    }

    /// The exit status of the program.
    pub fn status(&self) -> u8 {
        match self {
            Exit::Print(_) => 0,
            Exit::Refuse { error, .. } => error.exit_status(),
        }
    }
}
