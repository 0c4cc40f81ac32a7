//! What is printed.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use super::case::CaseDef;
use super::host::Kind;

/// How a case ended.
pub enum Verdict {
    Passed,
    Failed(String),
    Skipped(String),
    /// Failed, as `peers.rs` says of this runtime.
    Known(String),
    /// Failed beside others, and passed alone.
    Unstable(String),
    /// A peer that an attack came through on.
    Fell(String),
}

/// How each case ended, by its name.
pub type Ends = BTreeMap<&'static str, Verdict>;

impl Verdict {
    /// The word for other programs, and the reason if there is one, on one line.
    fn fields(&self) -> (&'static str, String) {
        let (word, reason) = match self {
            Verdict::Passed => ("passed", ""),
            Verdict::Failed(why) => ("failed", why.lines().next().unwrap_or_default()),
            Verdict::Skipped(why) => ("skipped", why.as_str()),
            Verdict::Known(why) => ("known", why.as_str()),
            Verdict::Unstable(why) => ("unstable", why.lines().next().unwrap_or_default()),
            Verdict::Fell(why) => ("fell", why.lines().next().unwrap_or_default()),
        };
        (word, reason.replace(['\t', '\n'], " "))
    }
}

/// A case and its end.
pub struct Finished {
    chapter: &'static str,
    name: &'static str,
    verdict: Verdict,
    transcript: String,
    seconds: f64,
}

impl Finished {
    pub fn new(def: &CaseDef, verdict: Verdict, transcript: String, took: Duration) -> Finished {
        let seconds = took.as_secs_f64();
        Finished { chapter: def.chapter, name: def.name, verdict, transcript, seconds }
    }

    pub fn failed(&self) -> bool {
        matches!(self.verdict, Verdict::Failed(_))
    }

    pub fn passed(&self) -> bool {
        matches!(self.verdict, Verdict::Passed)
    }

    /// Of the security cases those of a peer are shown and no failure.
    pub fn judged_as(self, kind: Kind, security: bool) -> Finished {
        let verdict = match self.verdict {
            Verdict::Failed(why) if security && kind != Kind::Tierce => Verdict::Fell(why),
            verdict => verdict,
        };
        Finished { verdict, ..self }
    }

    /// After it ended like this: what it counts as if it `passed` then.
    pub fn after_another_run(self, passed: bool) -> Finished {
        let verdict = match self.verdict {
            Verdict::Failed(why) if passed => Verdict::Unstable(why),
            verdict => verdict,
        };
        Finished { verdict, ..self }
    }
}

/// Of one chapter or of all.
#[derive(Default, Clone, Copy)]
struct Count {
    passed: usize,
    failed: usize,
    skipped: usize,
    known: usize,
    unstable: usize,
    fell: usize,
}

impl Count {
    fn add(&mut self, verdict: &Verdict) {
        match verdict {
            Verdict::Passed => self.passed += 1,
            Verdict::Failed(_) => self.failed += 1,
            Verdict::Skipped(_) => self.skipped += 1,
            Verdict::Known(_) => self.known += 1,
            Verdict::Unstable(_) => self.unstable += 1,
            Verdict::Fell(_) => self.fell += 1,
        }
    }
}

/// Collects the ends of the cases.
pub struct Report {
    verbose: bool,
    /// For other programs.
    file: Option<File>,
    chapters: Vec<(&'static str, Count)>,
    total: Count,
    failures: Vec<String>,
    ends: Ends,
}

impl Report {
    pub fn new(verbose: bool, file: Option<&Path>) -> Report {
        let create = |path: &Path| File::create(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        Report {
            verbose,
            file: file.map(create),
            chapters: Vec::new(),
            total: Count::default(),
            failures: Vec::new(),
            ends: Ends::new(),
        }
    }

    /// Prints the line of this case; what it called if it failed.
    pub fn add(&mut self, case: Finished) {
        let name = format!("{}::{}", case.chapter, case.name);
        match &case.verdict {
            Verdict::Passed => println!("ok       {name} ({:.2} s)", case.seconds),
            Verdict::Failed(why) => {
                println!("FAILED   {name}\n  {why}\n{}", case.transcript);
                self.failures.push(name);
            }
            Verdict::Skipped(why) => println!("skipped  {name}: {why}"),
            Verdict::Known(why) => println!("known    {name}: {why}"),
            Verdict::Unstable(why) => {
                println!("UNSTABLE {name}, passed when run again\n  {why}\n{}", case.transcript)
            }
            Verdict::Fell(why) => println!("FELL     {name}\n  {why}"),
        }
        self.write(case.chapter, case.name, &case.verdict);
        if self.verbose && !matches!(case.verdict, Verdict::Failed(_) | Verdict::Unstable(_)) {
            println!("{}", case.transcript);
        }
        self.total.add(&case.verdict);
        self.count(case.chapter).add(&case.verdict);
        self.ends.insert(case.name, case.verdict);
    }

    fn write(&mut self, chapter: &str, name: &str, verdict: &Verdict) {
        let (word, reason) = verdict.fields();
        if let Some(file) = &mut self.file {
            writeln!(file, "{chapter}\t{name}\t{word}\t{reason}").expect("write the report");
        }
    }

    fn count(&mut self, chapter: &'static str) -> &mut Count {
        let index = self.chapters.iter().position(|(name, _)| *name == chapter).unwrap_or_else(|| {
            self.chapters.push((chapter, Count::default()));
            self.chapters.len() - 1
        });
        &mut self.chapters[index].1
    }

    /// What is on the host after all cases; a failure of no case in particular.
    pub fn left_behind(&mut self, left: Vec<String>) {
        if !left.is_empty() {
            println!("FAILED   left behind after all cases: {}", left.join(", "));
            self.write("suite", "left_behind_after_all_cases", &Verdict::Failed(left.join(", ")));
            self.failures.push("left behind after all cases".to_string());
            self.total.failed += 1;
        }
    }

    /// How they ended.
    pub fn ends(self) -> Ends {
        self.ends
    }

    /// Prints the summary; whether nothing failed. A peer's security cases are summed up by their table.
    pub fn print(&self, kind: Kind, security: bool) -> bool {
        println!("\n{:<22}{:>8}{:>8}{:>8}{:>8}", "chapter", "passed", "failed", "skipped", "known");
        for (name, c) in &self.chapters {
            println!("{name:<22}{:>8}{:>8}{:>8}{:>8}", c.passed, c.failed, c.skipped, c.known);
        }
        self.failures.iter().for_each(|name| println!("FAILED   {name}"));
        let Count { passed, failed, skipped, known, unstable, fell: _ } = self.total;
        if security && kind != Kind::Tierce {
            return true;
        }
        if known > 0 {
            println!("{known} known differences of {}, each failed as listed in PEERS.md", kind.name());
        }
        if unstable > 0 {
            println!("{unstable} unstable: failed beside others, passed alone");
        }
        println!("{passed} passed, {failed} failed, {skipped} skipped");
        failed == 0
    }
}
