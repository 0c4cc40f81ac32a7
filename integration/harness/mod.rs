//! The harness: finds the runtime and the facts of the host, runs the cases, reports.

pub mod agent;
pub mod bundle;
pub mod caller;
pub mod case;
pub mod cgroups;
pub mod child_process;
pub mod config;
pub mod container;
pub mod delegated;
pub mod executed;
pub mod granted;
pub mod host;
pub mod invocation;
mod kernel_log;
pub mod leftovers;
pub mod limits;
pub mod loop_device;
pub mod mountinfo;
pub mod network;
pub mod notes;
mod options;
pub mod place;
mod private_mounts;
pub mod probe;
pub mod pty;
pub mod receiver;
pub mod report;
pub mod rootfs;
mod runner;
pub mod units;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::{coverage, peers, security};
use case::CaseDef;

/// What a chapter needs: `use crate::harness::prelude::*;`.
pub mod prelude {
    pub use super::bundle::Bundle;
    pub use super::case::Case;
    pub use super::container::Container;
    pub use super::host::host_name;
    pub use super::invocation::{Output, Running};
    pub use super::notes::{HOOKS, Notes};
    pub use super::{PATIENCE, eventually};
    pub use crate::cases;
    pub use serde_json::{Value, json};
    pub use std::fs;
    pub use std::path::{Path, PathBuf};
}

/// Registers the cases of a chapter: those for root only, and those that an ordinary user can run.
#[macro_export]
macro_rules! cases {
    ($chapter:literal, root: [$($root:ident),* $(,)?] $(, anyone: [$($anyone:ident),* $(,)?])? $(,)?) => {
        /// The cases of this chapter.
        pub const CASES: &[$crate::harness::case::CaseDef] = &[
            $($crate::harness::case::CaseDef {
                chapter: $chapter, name: stringify!($root), needs_root: true, body: $root,
            },)*
            $($($crate::harness::case::CaseDef {
                chapter: $chapter, name: stringify!($anyone), needs_root: false, body: $anyone,
            },)*)?
        ];
    };
}

/// The program: 0 if nothing failed, 1 if a case failed, 2 if the suite could not run at all.
pub fn main(chapters: &[&[CaseDef]]) -> ExitCode {
    match try_main(chapters) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("integration: {error}");
            ExitCode::from(2)
        }
    }
}

fn try_main(chapters: &[&[CaseDef]]) -> Result<bool, String> {
    let options = options::Options::parse(std::env::args().skip(1))?;
    let all: Vec<CaseDef> = chapters.iter().flat_map(|chapter| chapter.iter().copied()).collect();
    peers::check_names(&all)?;
    coverage::check(&all)?;
    if options.help {
        print!("{}", options::HELP);
        return Ok(true);
    }
    if options.write_peers {
        return peers::write_markdown().map(|()| true);
    }
    if options.write_coverage {
        return coverage::write_markdown().map(|()| true);
    }
    if options.security {
        security::check()?;
    }
    let all = if options.security { security::cases() } else { all };
    let chosen: Vec<CaseDef> = all.into_iter().filter(|case| options.wants(case)).collect();
    if options.list {
        chosen.iter().for_each(|case| println!("{}::{}", case.chapter, case.name));
        return Ok(true);
    }
    let host = host::Host::find()?;
    private_mounts::enter_if_needed(&host)?;
    let (kind, version) = (host.kind, host.version.clone());
    let (passed, ends) = runner::run(host, &chosen, &options);
    if options.security {
        security::report(kind, &version, &ends, options.write)?;
    }
    Ok(passed)
}

/// How long is waited for what must come. It bounds a wait and measures nothing, so it is ample: an
/// emulated machine beside others has stood still for ten seconds.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `done`; panics when [`PATIENCE`] is over.
#[track_caller]
pub fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    if !soon(PATIENCE, &mut done) {
        panic!("still not after {PATIENCE:?}: {what}");
    }
}

/// Whether `done` came true within `limit`.
pub fn soon(limit: Duration, mut done: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + limit;
    let mut pause = Duration::from_millis(1);
    loop {
        if done() {
            return true;
        }
        if Instant::now() > end {
            return false;
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}
