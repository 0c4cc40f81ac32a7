//! What low-level runtimes have fallen to since 2016, tried for real: a row for each vulnerability, with a case that
//! attacks, and the function that makes tierce hold. README.md beside this file is written from here.

mod confinement;
mod files;
mod host;
mod identity;
mod oracle;
mod paths;
mod proc;
mod table;

pub use table::{check, report};

use crate::harness::case::CaseDef;

/// One mechanism, the case that tries it, and what stops it.
pub struct Row {
    /// The vulnerabilities, in the names that they are known by.
    pub ids: &'static str,
    pub case: CaseDef,
    /// What is done, in two lines.
    pub what: &'static str,
    /// File and function of tierce.
    pub by: &'static [(&'static str, &'static str)],
}

/// A row without a case of its own.
pub struct Elsewhere {
    pub ids: &'static str,
    pub why: &'static str,
}

/// Declares the rows of a file, and with them its cases.
macro_rules! rows {
    ($chapter:literal, [$($case:ident: $ids:literal, $what:literal, [$($file:literal $function:literal),+ $(,)?];)*]) => {
        pub(super) const ROWS: &[super::Row] = &[$(super::Row {
            ids: $ids,
            case: crate::harness::case::CaseDef {
                chapter: $chapter, name: stringify!($case), needs_root: true, body: $case,
            },
            what: $what,
            by: &[$(($file, $function)),+],
        }),*];
    };
}
use rows;

/// All of them, in the order of the table.
pub const ROWS: [&[Row]; 6] =
    [paths::ROWS, files::ROWS, proc::ROWS, identity::ROWS, confinement::ROWS, host::ROWS];

/// What is the same as another row, or is about something that tierce does not have.
pub const ELSEWHERE: [Elsewhere; 4] = [
    Elsewhere {
        ids: "CVE-2020-14298, CVE-2020-14300",
        why: "a distribution shipped runc without the fixes of CVE-2019-5736 and CVE-2016-9962; the cases of these would \
              have told",
    },
    Elsewhere {
        ids: "CVE-2022-27650, CVE-2022-24769, CVE-2022-27649, CVE-2022-27652, CVE-2025-27612",
        why: "the same as CVE-2022-29162 in crun, Moby, Podman, CRI-O and youki",
    },
    Elsewhere {
        ids: "CVE-2025-54867, CVE-2025-62161, CVE-2025-62596",
        why: "the same as CVE-2023-27561, CVE-2025-31133 and CVE-2025-52881 in youki",
    },
    Elsewhere {
        ids: "CVE-2017-5985, CVE-2018-6556, CVE-2022-47952, CVE-2026-39402",
        why: "the setuid program lxc-user-nic; tierce has none, and calls none but newuidmap(1) and newgidmap(1)",
    },
];

/// The cases.
pub fn cases() -> Vec<CaseDef> {
    ROWS.iter().flat_map(|rows| rows.iter().map(|row| row.case)).collect()
}
