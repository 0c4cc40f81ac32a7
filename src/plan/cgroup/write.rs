//! One write to a file of a group.

use serde::Serialize;

/// One write(2) to a file of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Write {
    /// Name of the file in the group's directory.
    pub file: String,
    /// What is written.
    pub value: String,
    /// Where in config.json it comes from.
    pub location: String,
    /// Where the kernel does not have this file.
    pub absent: Absent,
    /// `checkBeforeUpdate`: refused if the value is below that of this file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_below: Option<String>,
}

/// What is done in place of a write to a file that the kernel does not have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Absent {
    /// It is an error.
    Refuse,
    /// Nothing.
    Skip,
    /// This write.
    Instead {
        /// Another file.
        file: String,
        /// What is written to it.
        value: String,
    },
}

impl Write {
    pub(in crate::plan) fn new(file: &str, value: impl ToString, location: impl Into<String>) -> Self {
        Write {
            file: file.into(),
            value: value.to_string(),
            location: location.into(),
            absent: Absent::Refuse,
            not_below: None,
        }
    }

    /// What is in a file, to be put back some time.
    pub fn content(file: &str, value: String) -> Self {
        Write::new(file, value, "")
    }

    /// Without the file there is nothing to limit.
    pub(super) fn if_exists(self) -> Self {
        Write { absent: Absent::Skip, ..self }
    }

    /// Without the file another one has the same meaning.
    pub(super) fn or(self, file: &str, value: impl ToString) -> Self {
        Write { absent: Absent::Instead { file: file.into(), value: value.to_string() }, ..self }
    }

    /// Refused where the file `usage` has more, if that is to be checked.
    pub(super) fn above(self, usage: &str, checked: bool) -> Self {
        Write { not_below: checked.then(|| usage.into()), ..self }
    }

    /// The controller that its file belongs to.
    pub fn controller(&self) -> &str {
        self.file.split('.').next().unwrap_or_default()
    }
}
