//! Removes the groups.

use super::processes::{below, list};
use super::tree::{self, Visit, is_gone};
use super::{Record, RecordedGroup, flag, milliseconds_until};
use crate::error::{Context, Error, Result};
use crate::host::systemd;
use crate::plan::cgroup::{Version, directory};
use crate::sys;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long to wait for processes that are dying.
const PATIENCE: Duration = Duration::from_secs(10);

/// Removes the groups, the groups that were made inside them, and the parents that were made for
/// them if nobody else uses those. What is gone already is fine. Processes that are just dying are
/// waited for, ten seconds at most; all groups are tried before the first error is told.
pub fn remove(record: &Record) -> Result<()> {
    let there = record.groups.iter().any(|group| group.directory().exists());
    remove_within(record, PATIENCE)?;
    // Where systemd has removed the group it has done so of itself, and forgotten the unit right after that.
    if let Some(unit) = record.unit.as_ref().filter(|unit| there || !unit.collects) {
        systemd::stop(unit);
    }
    Ok(())
}

/// Stops the unit of a container that was never made whole, if it is there and has no processes: systemd forgets
/// one by itself when its last process leaves, and one with processes is another container's.
pub fn abandon(record: &Record) {
    let events = |group: &RecordedGroup| fs::read_to_string(group.directory().join("cgroup.events"));
    let is_empty = |group: &RecordedGroup| events(group).is_ok_and(|events| !flag(&events, "populated"));
    if let Some(unit) = record.unit.as_ref().filter(|_| record.groups.iter().all(is_empty)) {
        systemd::stop(unit);
    }
}

fn remove_within(record: &Record, patience: Duration) -> Result<()> {
    let deadline = Instant::now() + patience;
    let mut result = Ok(());
    // v2 first: it tells when the last process has left.
    for group in record.groups.iter().rev() {
        let removed = remove_group(group, deadline);
        if removed.is_ok() {
            for parent in group.made.iter().rev() {
                let _ = fs::remove_dir(directory(&group.mount, parent));
            }
        }
        result = result.and(removed);
    }
    result
}

fn remove_group(group: &RecordedGroup, deadline: Instant) -> Result<()> {
    let target = group.directory();
    let what = || format!("remove cgroup {}", target.display());
    let mut pause = 1;
    loop {
        if remove_tree(&target).context(what)? {
            return Ok(());
        }
        let pids = match below(&target) {
            // A container that owns its groups can hide who is in them, but not that somebody is.
            Err(e) if e.kind() == ErrorKind::PermissionDenied => Vec::new(),
            pids => pids.context(what)?,
        };
        if Instant::now() >= deadline {
            let text = match pids.is_empty() {
                true => "still in use by processes of another pid namespace".into(),
                false => format!("process {} is still running", list(&pids)),
            };
            return Err(Error::new(text).context(what()));
        }
        let waited = match group.version {
            Version::V1 => wait_for_exit(&pids, deadline),
            Version::V2 => wait_until_unpopulated(&target, deadline),
        };
        // Exited, but not yet off the group: there is no event for the last step.
        if !waited.context(what)? {
            sys::poll::poll(&mut [], pause).context(what)?;
            pause = (pause * 2).min(100);
        }
    }
}

/// rmdir(2), with the groups inside first; false if it is in use.
fn remove_tree(target: &Path) -> io::Result<bool> {
    let remove = |removed: io::Result<()>| match removed {
        Err(e) if e.raw_os_error() == Some(libc::EBUSY) => Ok(false),
        Err(e) if !is_gone(&e) => Err(e),
        _ => Ok(true),
    };
    if remove(fs::remove_dir(target))? {
        return Ok(true);
    }
    let emptied = tree::walk(target, |visit| match visit {
        Visit::Group(_) => Ok(true),
        Visit::Left(parent, name) => {
            let unlink = || sys::fs::unlinkat(parent, &name, libc::AT_REMOVEDIR);
            remove(unlink().or_else(|e| tree::unlock(parent, c".", e).and_then(|()| unlink())))
        }
    })?;
    if emptied { remove(fs::remove_dir(target)) } else { Ok(false) }
}

/// Waits for `populated 0` in cgroup.events, which covers the groups inside too; the kernel
/// announces each change with POLLPRI. False if there was nothing to wait for.
fn wait_until_unpopulated(target: &Path, deadline: Instant) -> io::Result<bool> {
    let file = match File::open(target.join("cgroup.events")) {
        Err(e) if is_gone(&e) => return Ok(true),
        file => file?,
    };
    let mut waited = false;
    loop {
        let mut buffer = [0; 256];
        let n = match file.read_at(&mut buffer, 0) {
            Err(e) if is_gone(&e) => return Ok(true),
            n => n?,
        };
        if !flag(&String::from_utf8_lossy(&buffer[..n]), "populated") {
            return Ok(waited);
        }
        waited = true;
        let mut fds = [libc::pollfd { fd: file.as_raw_fd(), events: libc::POLLPRI, revents: 0 }];
        if sys::poll::poll(&mut fds, milliseconds_until(deadline))? == 0 {
            return Ok(true);
        }
    }
}

/// Waits until all these processes have exited. False if there was none left.
fn wait_for_exit(pids: &[i32], deadline: Instant) -> io::Result<bool> {
    let mut processes: Vec<OwnedFd> = Vec::new();
    for pid in pids {
        match sys::pidfd::open(*pid) {
            Err(e) if e.raw_os_error() == Some(libc::ESRCH) => {}
            pidfd => processes.push(pidfd?),
        }
    }
    let waited = !processes.is_empty();
    while !processes.is_empty() {
        let mut fds: Vec<_> = processes.iter().map(|p| sys::poll::readable(p.as_fd())).collect();
        if sys::poll::poll(&mut fds, milliseconds_until(deadline))? == 0 {
            return Ok(true);
        }
        let mut ended = fds.iter().map(|fd| fd.revents != 0);
        processes.retain(|_| !ended.next().unwrap_or(false));
    }
    Ok(waited)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn a_group_in_use_is_told_with_its_processes() {
        let Ok(facts) = crate::host::cgroup::probe() else { return };
        let Some(hierarchy) = facts.hierarchies.first().filter(|_| sys::process::effective_ids().0 == 0)
        else {
            return println!("skipped: not root, or no cgroup filesystem is mounted");
        };
        let group = RecordedGroup {
            mount: hierarchy.mount.clone(),
            version: hierarchy.version,
            controllers: hierarchy.controllers.clone(),
            path: format!("/tierce-test-remove-{}", std::process::id()),
            made: Vec::new(),
            optional: false,
        };
        let target = group.directory();
        fs::create_dir(&target).unwrap();
        let mut child = Command::new("sleep").arg("600").stdout(Stdio::null()).spawn().unwrap();
        fs::write(target.join("cgroup.procs"), child.id().to_string()).unwrap();
        let record = Record { groups: vec![group], unit: None };
        let refused = remove_within(&record, Duration::from_millis(50));
        child.kill().unwrap();
        child.wait().unwrap();
        remove_within(&record, PATIENCE).unwrap();
        let expected = format!("remove cgroup {}: process {} is still running", target.display(), child.id());
        assert_eq!(refused.unwrap_err().to_string(), expected);
        assert!(!target.exists());
    }
}
