//! The processes of the groups.

use super::{Record, RecordedGroup, open_for_writing};
use crate::error::{Context, Result};
use crate::plan::cgroup::Version;
use crate::sys;
use std::collections::HashSet;
use std::fs;
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

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
    let mut pids = match fs::read_to_string(directory.join("cgroup.procs")) {
        Ok(content) => content.lines().filter_map(|line| line.parse().ok()).collect::<Vec<i32>>(),
        Err(e) if is_gone(&e) => return Ok(Vec::new()),
        // A threaded group (cgroup-v2.rst) lists its processes in its parents only.
        Err(e) if e.raw_os_error() == Some(libc::EOPNOTSUPP) => Vec::new(),
        Err(e) => return Err(e),
    };
    for group in sub_groups(directory)? {
        pids.extend(below(&group)?);
    }
    // Processes of pid namespaces that we do not see.
    pids.retain(|pid| *pid != 0);
    Ok(pids)
}

/// The directories in a group; none if it is gone.
pub(super) fn sub_groups(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(e) if is_gone(&e) => return Ok(Vec::new()),
        Err(e) => return Err(e),
    };
    let mut groups = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            groups.push(entry.path());
        }
    }
    Ok(groups)
}

/// ENODEV: the group went away between open(2) and read(2).
pub(super) fn is_gone(error: &io::Error) -> bool {
    error.kind() == ErrorKind::NotFound || error.raw_os_error() == Some(libc::ENODEV)
}

/// `12, 34` for an error text, not more than ten.
pub(super) fn list(pids: &[i32]) -> String {
    let shown: Vec<_> = pids.iter().take(10).map(i32::to_string).collect();
    let more = if pids.len() > shown.len() { ", ..." } else { "" };
    format!("{}{more}", shown.join(", "))
}

/// Sends a signal to all processes of the groups; returns without waiting for what comes of it.
///
/// SIGKILL reaches every one, those too that are forked meanwhile: by `cgroup.kill` (Linux 5.14)
/// where there is v2, else with the group frozen on v1, else again until no new one turns up.
pub fn kill(record: &Record, signal: i32) -> Result<()> {
    let Some(group) = leading(record) else { return Ok(()) };
    if signal != libc::SIGKILL {
        return send(&processes(record)?, signal);
    }
    let freezer = record.groups.iter().find(|g| g.controllers.iter().any(|c| c == "freezer"));
    if group.version == Version::V2 {
        match write(&group.directory().join("cgroup.kill"), "1") {
            Err(e) if is_gone(&e) => {}
            // On a hybrid machine they may be frozen by v1, where SIGKILL has to wait.
            Ok(()) => return set_freezer(freezer, "THAWED"),
            done => return done.context(|| format!("write \"1\" to cgroup.kill of {}", group.path)),
        }
    }
    kill_all(record, freezer)
}

fn set_freezer(group: Option<&RecordedGroup>, state: &str) -> Result<()> {
    let Some(group) = group else { return Ok(()) };
    match write(&group.directory().join("freezer.state"), state) {
        Err(e) if is_gone(&e) => Ok(()),
        done => done.context(|| format!("write {state:?} to freezer.state of {}", group.path)),
    }
}

/// Rounds of freeze, kill and thaw. A frozen process does not fork; one that is only about to
/// freeze may have forked still, so it takes another round to see that there is nobody new.
fn kill_all(record: &Record, freezer: Option<&RecordedGroup>) -> Result<()> {
    let mut killed = HashSet::new();
    loop {
        set_freezer(freezer, "FROZEN")?;
        let round = processes(record).and_then(|pids| {
            let new: Vec<_> = pids.into_iter().filter(|pid| killed.insert(*pid)).collect();
            send(&new, libc::SIGKILL).map(|()| new.is_empty())
        });
        // In any case: the frozen ones do not die before.
        set_freezer(freezer, "THAWED")?;
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
