//! The command line of the test program.

use std::path::PathBuf;

use super::case::CaseDef;

pub const HELP: &str = "\
usage: integration [FILTER]... [-j N] [--list] [--exact] [--verbose]
                   [--again N] [--report FILE] [--write-peers] [--write-coverage]
                   [--security [--write]]

  FILTER         run the cases whose chapter::name contains one of these
  --exact        the name must be equal to a filter
  -j N           run N cases at a time (4)
  --list         print the names of the cases and stop
  --verbose      print what was called in cases that passed, too (--nocapture)
  --again N      run those that failed once more, each alone, if they are N or fewer; who passes
                 then counts as unstable, and is named (0)
  --report FILE  write a line per case: chapter, name, verdict and reason, with tabs between
  --write-peers  write integration/PEERS.md from integration/peers.rs and stop
  --write-coverage
                 write integration/COVERAGE.md from integration/coverage.rs and stop
  --security     run the cases of integration/security in place of the others, and print a table
  --write        write that table into integration/security/README.md

  RUNTIME=/path  the runtime to test: tierce, runc or crun
";

/// What the caller asked for.
pub struct Options {
    pub filters: Vec<String>,
    pub exact: bool,
    pub list: bool,
    pub verbose: bool,
    pub write_peers: bool,
    pub write_coverage: bool,
    pub security: bool,
    pub write: bool,
    pub help: bool,
    pub jobs: usize,
    pub again: usize,
    pub report: Option<PathBuf>,
}

impl Options {
    pub fn parse(mut args: impl Iterator<Item = String>) -> Result<Options, String> {
        let mut options = Options {
            filters: Vec::new(),
            exact: false,
            list: false,
            verbose: false,
            write_peers: false,
            write_coverage: false,
            security: false,
            write: false,
            help: false,
            jobs: 4,
            again: 0,
            report: None,
        };
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--exact" => options.exact = true,
                "--list" => options.list = true,
                "--verbose" | "-v" | "--nocapture" => options.verbose = true,
                "--write-peers" => options.write_peers = true,
                "--write-coverage" => options.write_coverage = true,
                "--security" => options.security = true,
                "--write" => options.write = true,
                "--help" | "-h" => options.help = true,
                "--report" => options.report = Some(args.next().ok_or("--report needs a file")?.into()),
                "--again" => options.again = number("--again", args.next())?,
                "-j" | "--jobs" | "--test-threads" => options.jobs = above_zero(args.next())?,
                _ => options.other(arg)?,
            }
        }
        Ok(options)
    }

    fn other(&mut self, arg: String) -> Result<(), String> {
        if let Some(n) = arg.strip_prefix("-j").or_else(|| arg.strip_prefix("--test-threads=")) {
            self.jobs = above_zero(Some(n.to_string()))?;
        } else if arg.starts_with('-') {
            return Err(format!("unknown option {arg}\n{HELP}"));
        } else {
            self.filters.push(arg);
        }
        Ok(())
    }

    /// Whether the filters choose this case.
    pub fn wants(&self, case: &CaseDef) -> bool {
        let name = format!("{}::{}", case.chapter, case.name);
        self.filters.is_empty()
            || self.filters.iter().any(|filter| match self.exact {
                true => name == *filter || case.name == filter,
                false => name.contains(filter),
            })
    }
}

fn number(option: &str, text: Option<String>) -> Result<usize, String> {
    let text = text.ok_or_else(|| format!("{option} needs a number"))?;
    text.parse().map_err(|_| format!("{option} {text}: not a number"))
}

fn above_zero(text: Option<String>) -> Result<usize, String> {
    match number("-j", text)? {
        0 => Err("-j 0: not a number above zero".to_string()),
        n => Ok(n),
    }
}
