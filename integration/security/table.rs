//! The table: what held and what fell, printed, and kept in README.md for all runtimes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{ELSEWHERE, ROWS};
use crate::harness::host::Kind;
use crate::harness::report::Verdict;

/// The three runtimes, in the order of the columns.
const COLUMNS: [Kind; 3] = [Kind::Tierce, Kind::Runc, Kind::Crun];

/// What became of a case, by its name.
type Ends = BTreeMap<&'static str, Verdict>;

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).into()
}

/// Every function that a row names is where it says. Nothing to look at where the test program was copied alone.
pub fn check() -> Result<(), String> {
    if !source().join("src").is_dir() {
        return Ok(());
    }
    for row in ROWS.iter().flat_map(|rows| rows.iter()) {
        for (file, function) in row.by {
            let text = std::fs::read_to_string(source().join(file)).map_err(|e| format!("{file}: {e}"))?;
            let there = ["(", "<"].iter().any(|after| text.contains(&format!("fn {function}{after}")));
            if !there {
                return Err(format!("security: {}: {file} has no function {function}", row.case.name));
            }
        }
    }
    Ok(())
}

/// Prints the table of this run; with `write` it becomes a column of README.md.
pub fn report(kind: Kind, version: &str, ends: &Ends, write: bool) -> Result<(), String> {
    println!();
    for row in ROWS.iter().flat_map(|rows| rows.iter()) {
        if let Some(end) = ends.get(row.case.name) {
            println!("{:<8} {:<52} {}", word(end), row.case.name.replace('_', " "), row.ids);
            if let Verdict::Failed(why) | Verdict::Fell(why) | Verdict::Skipped(why) = end {
                println!("         {}", why.lines().next().unwrap_or_default());
            }
        }
    }
    let count = |wanted: &str| ends.values().filter(|end| word(end) == wanted).count();
    println!("{}: {} held, {} FELL, {} do not apply", kind.name(), count("held"), count("FELL"), count("-"));
    if write { write_readme(kind, version, ends) } else { Ok(()) }
}

fn word(end: &Verdict) -> &'static str {
    match end {
        Verdict::Passed => "held",
        Verdict::Skipped(_) => "-",
        Verdict::Failed(_) | Verdict::Fell(_) | Verdict::Known(_) | Verdict::Unstable(_) => "FELL",
    }
}

const HEAD: &str = "\
# Security cases

What low-level runtimes have fallen to since 2016, tried on the runtime itself: not whether something is set, but whether
the attack comes through. Each case aims at a directory of the host, and says `FELL` if anything there has changed, if a
program inside has read from it, has a file, a mount, a disk or a cgroup of the host, or has changed a kernel parameter;
or if a process, mount, cgroup or state is left behind. Whether the runtime refuses, or runs the program confined, is up to
it. Races are run 500 times, while two paths are exchanged without a pause (renameat2(2), RENAME_EXCHANGE).

    make security                                              # on tierce, and on runc and crun if they are there
    RUNTIME=/path cargo test --test integration -- --security  # on any of them; a word chooses cases
    make security SECURITY_FLAGS=--write                       # and write the table below

The cases need root and what the other integration tests need. They are black-box: they do not know how the runtime is
built. This page is written from `mod.rs` and the files beside it, and the run ends at once if a function that is named
here does not exist.

## Results

";

fn write_readme(kind: Kind, version: &str, ends: &Ends) -> Result<(), String> {
    let path = source().join("integration/security/README.md");
    let before = std::fs::read_to_string(&path).unwrap_or_default();
    let mut columns: Vec<Column> = COLUMNS.iter().map(|kind| Column::read(&before, *kind)).collect();
    let own = columns.iter_mut().find(|column| column.kind == kind).expect("one of the three");
    version.clone_into(&mut own.version);
    for (name, end) in ends {
        let note = if let Verdict::Fell(why) | Verdict::Failed(why) | Verdict::Skipped(why) = end {
            short(why)
        } else {
            String::new()
        };
        own.words.insert(name.replace('_', " "), (word(end).to_string(), note));
    }
    std::fs::write(&path, page(&columns)).map_err(|e| format!("{}: {e}", path.display()))
}

/// The first line, without what differs from run to run.
fn short(why: &str) -> String {
    if why.starts_with("hung") {
        return "hung".to_string();
    }
    let line = why.lines().next().unwrap_or_default().replace('|', "/");
    let words = line
        .split_whitespace()
        .map(|word| if word.contains("tierce-it-") || word.contains("/it-") { "…" } else { word });
    words.take(24).collect::<Vec<_>>().join(" ")
}

/// What is known of one runtime: word and note by the name of the case.
struct Column {
    kind: Kind,
    version: String,
    words: BTreeMap<String, (String, String)>,
}

impl Column {
    /// From the page as it was.
    fn read(page: &str, kind: Kind) -> Column {
        let position = COLUMNS.iter().position(|other| *other == kind).expect("one of the three");
        let rows = page
            .lines()
            .filter(|line| line.starts_with("| "))
            .map(|line| line.split('|').map(str::trim).collect::<Vec<_>>());
        let rows = rows.filter(|cells| cells.len() == 7 && cells[1] != "case");
        let mut words: BTreeMap<String, (String, String)> = rows
            .map(|cells| (cells[1].to_string(), (cells[3 + position].to_string(), String::new())))
            .collect();
        for note in page.lines().filter_map(|line| line.strip_prefix(&format!("- {}, ", kind.name()))) {
            if let Some((name, why)) = note.split_once(": ")
                && let Some(entry) = words.get_mut(name)
            {
                entry.1 = why.to_string();
            }
        }
        let version = page.lines().find_map(|line| line.strip_prefix(&format!("`{}`: ", kind.name())));
        Column { kind, version: version.unwrap_or_default().trim().to_string(), words }
    }

    fn word(&self, name: &str) -> &str {
        self.words.get(name).map_or("", |(word, _)| word.as_str())
    }
}

fn page(columns: &[Column]) -> String {
    let mut text = HEAD.to_string();
    for column in columns.iter().filter(|column| !column.version.is_empty()) {
        text += &format!("`{}`: {}  \n", column.kind.name(), column.version);
    }
    text += "\n| case | | tierce | runc | crun |\n|---|---|---|---|---|\n";
    let rows = || ROWS.iter().flat_map(|rows| rows.iter());
    for row in rows() {
        let name = row.case.name.replace('_', " ");
        let [tierce, runc, crun] = [0, 1, 2].map(|i| columns[i].word(&name));
        text += &format!("| {name} | {} | {tierce} | {runc} | {crun} |\n", row.ids);
    }
    text += "\nWhat fell, and what does not apply (`-`):\n\n";
    for column in columns {
        for row in rows() {
            let name = row.case.name.replace('_', " ");
            if let Some((_, why)) = column.words.get(&name).filter(|(_, why)| !why.is_empty()) {
                text += &format!("- {}, {name}: {why}\n", column.kind.name());
            }
        }
    }
    text += "\n## What is tried, and what stops it\n";
    for row in rows() {
        let by: Vec<String> =
            row.by.iter().map(|(file, function)| format!("[{file}](../../{file}) `{function}`")).collect();
        text += &format!(
            "\n**{}** ({})  \n{}  \nStopped by {}.\n",
            row.case.name.replace('_', " "),
            row.ids,
            row.what,
            by.join(", ")
        );
    }
    text += "\n## Without a case of their own\n\n";
    for other in ELSEWHERE {
        text += &format!("- {}: {}.\n", other.ids, other.why);
    }
    text
}
