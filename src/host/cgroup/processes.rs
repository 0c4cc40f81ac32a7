//! The processes of the groups.

use super::tree::{self, Visit, is_gone};
use super::{Record, RecordedGroup, freezer, open_for_writing};
use crate::error::{Context, Result};
use crate::plan::cgroup::Version;
use crate::sys;
use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::time::Duration;

/// How long processes may take to stop for a signal, which they get in any case.
const MOMENT: Duration = Duration::from_secs(2);

/// The pids of all processes in the groups and their sub-groups, as this pid namespace sees them.
pub fn processes(record: &Record) -> Result<Vec<i32>> {
    match leading(record) {
        Some(group) => {
            let directory = group.directory();
            below(&directory).context(|| format!("read cgroup.procs of {}", directory.display()))
        }
        None => Ok(Vec::new()),
    }
}

/// The group that says which processes there are. All hierarchies have the same ones, and v2, which
/// is recorded last, cannot be left by a process without rights over it.
fn leading(record: &Record) -> Option<&RecordedGroup> {
    record.groups.iter().rev().find(|group| group.directory().exists())
}

/// The pids in this directory and all below it; none if it is gone.
pub(super) fn below(directory: &Path) -> io::Result<Vec<i32>> {
    let mut pids: Vec<i32> = Vec::new();
    tree::walk(directory, |visit| {
        if let Visit::Group(group) = visit {
            pids.extend(in_group(group)?);
        }
        Ok(true)
    })?;
    // Processes of pid namespaces that we do not see.
    pids.retain(|pid| *pid != 0);
    Ok(pids)
}

fn in_group(group: BorrowedFd) -> io::Result<Vec<i32>> {
    let mut content = String::new();
    let file = sys::fs::openat(group, c"cgroup.procs", libc::O_RDONLY, 0);
    match file.and_then(|file| File::from(file).read_to_string(&mut content)) {
        Ok(_) => Ok(content.lines().filter_map(|line| line.parse().ok()).collect()),
        Err(e) if is_gone(&e) => Ok(Vec::new()),
        // A threaded group (cgroup-v2.rst) lists its processes in its parents only.
        Err(e) if e.raw_os_error() == Some(libc::EOPNOTSUPP) => Ok(Vec::new()),
        Err(e) => Err(e),
    }
}

/// `12, 34` for an error text, not more than ten.
pub(super) fn list(pids: &[i32]) -> String {
    let shown: Vec<_> = pids.iter().take(10).map(i32::to_string).collect();
    let more = if pids.len() > shown.len() { ", ..." } else { "" };
    format!("{}{more}", shown.join(", "))
}

/// Sends a signal to all processes of the groups; returns without waiting for what comes of it.
///
/// It reaches those too that are forked meanwhile: SIGKILL by `cgroup.kill` (Linux 5.14) where there is
/// v2, else with the group frozen, again until no new one turns up; others with the group frozen.
pub fn kill(record: &Record, signal: i32) -> Result<()> {
    let Some(group) = leading(record) else { return Ok(()) };
    if signal != libc::SIGKILL {
        return freezer::while_frozen(record, MOMENT, || send(&processes(record)?, signal))?;
    }
    if group.version == Version::V2 {
        match write(&group.directory().join("cgroup.kill"), "1") {
            Err(e) if is_gone(&e) => {}
            // On a hybrid machine they may be frozen by v1, where SIGKILL has to wait.
            Ok(()) => return freezer::let_die(record),
            done => return done.context(|| format!("write \"1\" to cgroup.kill of {}", group.path)),
        }
    }
    kill_all(record)
}

/// Rounds of freeze, kill and thaw. A frozen process does not fork; one that is only about to
/// freeze may have forked still, so it takes another round to see that there is nobody new.
fn kill_all(record: &Record) -> Result<()> {
    let mut killed = HashSet::new();
    loop {
        freezer::begin_to_freeze(record)?;
        let round = processes(record).and_then(|pids| {
            let new: Vec<_> = pids.into_iter().filter(|pid| killed.insert(*pid)).collect();
            send(&new, libc::SIGKILL).map(|()| new.is_empty())
        });
        // In any case: the frozen ones of v1 do not die before.
        freezer::thaw(record)?;
        if round? {
            return Ok(());
        }
    }
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    open_for_writing(path)?.write_all(text.as_bytes())
}

fn send(pids: &[i32], signal: i32) -> Result<()> {
    for pid in pids {
        match sys::process::kill(*pid, signal) {
            Err(e) if e.raw_os_error() != Some(libc::ESRCH) => {
                return Err(e).context(|| format!("send signal {signal} to process {pid}"));
            }
            _ => {}
        }
    }
    Ok(())
}
