//! Collects mistakes and warnings.

use super::Checked;
use super::at::{At, overlap, quoted};
use crate::error::Violation;

/// The mistakes and warnings found so far.
#[derive(Debug, Default)]
pub(crate) struct Report {
    errors: Vec<Found>,
    warnings: Vec<Violation>,
}

#[derive(Debug)]
struct Found {
    violation: Violation,
    /// Other places whose values this one followed from.
    from: Vec<String>,
}

impl Report {
    /// What is at `at` is wrong.
    pub(super) fn error(&mut self, at: &At<'_>, text: impl Into<String>) {
        self.error_from(at, &[], text);
    }

    /// What is at `at` is wrong together with what is at `from`.
    pub(super) fn error_from(&mut self, at: &At<'_>, from: &[&At<'_>], text: impl Into<String>) {
        let violation = Violation { path: at.to_string(), text: text.into() };
        self.errors.push(Found { violation, from: from.iter().map(ToString::to_string).collect() });
    }

    /// Mistakes that somebody else found.
    pub(super) fn errors(&mut self, violations: Vec<Violation>) {
        self.errors.extend(violations.into_iter().map(|violation| Found { violation, from: Vec::new() }));
    }

    /// What is at `at` is odd, but something sensible can be done.
    pub(super) fn warning(&mut self, at: &At<'_>, text: impl Into<String>) {
        self.warnings.push(Violation { path: at.to_string(), text: text.into() });
    }

    /// Refuses a NUL byte: the kernel would take the string to end there.
    pub(super) fn no_nul(&mut self, value: &str, at: &At<'_>) {
        if value.contains('\0') {
            self.error(at, format!("{} contains a NUL byte", quoted(value)));
        }
    }

    /// Refuses a path in the root filesystem that no system call takes (PATH_MAX). The plan has each of its
    /// parts, whose memory grows by the square of their number.
    pub(super) fn not_too_long(&mut self, path: &str, at: &At<'_>) {
        const LONGEST: usize = libc::PATH_MAX as usize - 1;
        if path.len() > LONGEST {
            self.error(at, format!("{} is longer than {LONGEST} bytes", quoted(path)));
        }
    }

    /// [`Report::no_nul`] for an optional string.
    pub(super) fn no_nul_in(&mut self, value: Option<&String>, at: &At<'_>) {
        if let Some(value) = value {
            self.no_nul(value, at);
        }
    }

    pub(super) fn into_checked(self) -> Checked {
        let violations = self.errors.into_iter().map(|found| found.violation).collect();
        Checked { violations, warnings: self.warnings }
    }

    /// The mistakes that are none of the consequences of what is wrong at `broken` already.
    pub(crate) fn apart_from(self, broken: &[String]) -> Vec<Violation> {
        let follows = |found: &Found| {
            let mut places = found.from.iter().chain([&found.violation.path]);
            places.any(|place| broken.iter().any(|b| overlap(place, b)))
        };
        self.errors.into_iter().filter(|found| !follows(found)).map(|found| found.violation).collect()
    }
}
