//! What of the specification the cases show: a row for every field and option that it has.
//!
//! `COVERAGE.md` is written from here. A row that names no case, or one that does not exist, ends the
//! test run; so a field cannot be called supported before something has measured it.

mod features;
mod hooks;
mod linux;
mod mounts;
mod process;
mod resources;
mod seccomp;

use std::path::Path;

use crate::harness::case::CaseDef;

/// How the specification asks for it; `Own` is not in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strength {
    Must,
    Should,
    May,
    /// An optional field: who writes it must get it, or an error.
    Optional,
    Own,
}

use Strength::{May, Must, Optional, Own, Should};

impl Strength {
    fn name(self) -> &'static str {
        match self {
            Must => "MUST",
            Should => "SHOULD",
            May => "MAY",
            Optional => "OPTIONAL",
            Own => "",
        }
    }
}

/// A field or an option, and the cases that show what it does.
pub struct Row {
    pub what: &'static str,
    strength: Strength,
    cases: &'static [&'static str],
    /// What no container shows here, and what shows it instead.
    note: &'static str,
}

impl Row {
    /// What a container cannot show on any kernel at hand.
    const fn but(self, note: &'static str) -> Row {
        Row { note, ..self }
    }
}

const fn row(strength: Strength, what: &'static str, cases: &'static [&'static str]) -> Row {
    Row { what, strength, cases, note: "" }
}

/// The rows of one chapter of the specification.
pub struct Section {
    title: &'static str,
    rows: &'static [Row],
}

/// In the order of the specification.
const SECTIONS: &[&Section] = &[
    &process::TOP,
    &process::PROCESS,
    &process::PLATFORMS,
    &mounts::MOUNTS,
    &mounts::OPTIONS,
    &hooks::HOOKS,
    &linux::NAMESPACES,
    &linux::DEVICES,
    &linux::CGROUPS,
    &resources::RESOURCES,
    &linux::OTHERS,
    &seccomp::SECCOMP,
    &features::ANNOTATIONS,
    &features::FEATURES,
];

/// Every row must name a case that exists, or say why no container shows it; and none is there twice.
pub fn check(cases: &[CaseDef]) -> Result<(), String> {
    for section in SECTIONS {
        for (i, row) in section.rows.iter().enumerate() {
            let at = format!("coverage: {}: {}", section.title, row.what);
            if row.cases.is_empty() && row.note.is_empty() {
                return Err(format!("{at}: names no case"));
            }
            if section.rows[..i].iter().any(|other| other.what == row.what) {
                return Err(format!("{at}: is there twice"));
            }
            for (n, name) in row.cases.iter().enumerate() {
                if !cases.iter().any(|case| case.name == *name) {
                    return Err(format!("{at}: there is no case {name}"));
                }
                if row.cases[..n].contains(name) {
                    return Err(format!("{at}: names {name} twice"));
                }
            }
        }
    }
    Ok(())
}

/// COVERAGE.md as it should be.
pub fn markdown() -> String {
    let mut text = String::from(
        "# What of the specification is shown, and by which case\n\n\
         Written by `--write-coverage` from `coverage.rs`. The case `the_coverage_table_is_current` fails if it is\n\
         not; the test run ends at once if a row names no case, or one that does not exist. The second column is\n\
         the word of the runtime-spec 1.3.0: MUST, SHOULD, MAY, OPTIONAL (a field that need not be given, but\n\
         holds if it is), or nothing for what goes beyond it.\n",
    );
    for Section { title, rows } in SECTIONS {
        text.push_str(&format!("\n## {title}\n\n| | | shown by |\n|---|---|---|\n"));
        for Row { what, strength, cases, note } in *rows {
            let mut shown: Vec<String> = cases.iter().map(|name| format!("`{name}`")).collect();
            shown.extend((!note.is_empty()).then(|| note.to_string()));
            text.push_str(&format!("| {what} | {} | {} |\n", strength.name(), shown.join(", ")));
        }
    }
    text
}

/// Writes COVERAGE.md beside this file.
pub fn write_markdown() -> Result<(), String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("integration/COVERAGE.md");
    std::fs::write(&path, markdown()).map_err(|e| format!("{}: {e}", path.display()))
}
