//! Stops all processes of a container and lets them go on: by the v1 freezer where that is mounted
//! (cgroup-v1/freezer-subsystem.rst), else by v2 (cgroup-v2.rst, `cgroup.freeze`).

use super::processes::processes;
use super::tree::is_gone;
use super::{Record, RecordedGroup, flag, milliseconds_until, open_for_writing, read_small};
use crate::error::{Context, Error, Result};
use crate::plan::cgroup::Version;
use crate::sys;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long the processes may take to stop.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// v1: how often the state is set again before the processes are let go for a moment, as runc does it:
/// where new ones keep appearing the kernel may not get to an end.
const TRIES: u32 = 50;

/// The group that can be frozen, if there is one.
fn freezer(record: &Record) -> Option<&RecordedGroup> {
    record.with_controller("freezer")
}

/// Was it frozen itself, and not with a group above it?
pub fn is_frozen(record: &Record) -> bool {
    let Some(group) = freezer(record) else { return false };
    let file = match group.version {
        Version::V1 => "freezer.self_freezing",
        Version::V2 => "cgroup.freeze",
    };
    read_small(&group.directory().join(file)).is_ok_and(|text| text.trim() == "1")
}

/// Stops all processes and returns when they have stopped; on an error they go on.
pub fn freeze(record: &Record) -> Result<()> {
    let group = freezer(record).ok_or_else(|| {
        Error::new("the container has no cgroup of its own that could be frozen")
            .hint("without root this needs a delegated part of cgroup v2")
    })?;
    let own = sys::process::pids().0;
    if processes(record)?.contains(&own) {
        return Err(Error::new(format!("process {own}, which is this one, is in the container's cgroup")));
    }
    freeze_within(group, PATIENCE).inspect_err(|_| drop(set(group, false)))
}

/// The same for a moment, in which something is done to them. Those that do not stop are no reason not to
/// do it, and what was frozen before stays so.
pub(super) fn while_frozen<T>(record: &Record, patience: Duration, work: impl FnOnce() -> T) -> Result<T> {
    let own = sys::process::pids().0;
    let Some(group) = freezer(record) else { return Ok(work()) };
    if is_frozen(record) || processes(record)?.contains(&own) {
        return Ok(work());
    }
    let _ = freeze_within(group, patience);
    let done = work();
    set(group, false).map(|()| done)
}

/// Lets the processes go on.
pub fn thaw(record: &Record) -> Result<()> {
    freezer(record).map_or(Ok(()), |group| set(group, false))
}

/// Lets those go on that SIGKILL was sent to: on v1 it has to wait for that.
pub fn let_die(record: &Record) -> Result<()> {
    freezer(record).filter(|g| g.version == Version::V1).map_or(Ok(()), |group| set(group, false))
}

/// v1, without waiting: whoever is about to stop may still fork.
pub(super) fn begin_to_freeze(record: &Record) -> Result<()> {
    freezer(record).map_or(Ok(()), |group| set(group, true))
}

/// What is gone is neither.
fn set(group: &RecordedGroup, frozen: bool) -> Result<()> {
    let (file, value) = match (group.version, frozen) {
        (Version::V1, true) => ("freezer.state", "FROZEN"),
        (Version::V1, false) => ("freezer.state", "THAWED"),
        (Version::V2, true) => ("cgroup.freeze", "1"),
        (Version::V2, false) => ("cgroup.freeze", "0"),
    };
    let written = open_for_writing(&group.directory().join(file));
    match written.and_then(|mut file| file.write_all(value.as_bytes())) {
        Err(e) if is_gone(&e) => Ok(()),
        done => done.context(|| format!("write {value:?} to {file} of {}", group.path)),
    }
}

fn freeze_within(group: &RecordedGroup, patience: Duration) -> Result<()> {
    let deadline = Instant::now() + patience;
    let frozen = match group.version {
        Version::V1 => freeze_v1(group, deadline),
        Version::V2 => set(group, true).and_then(|()| {
            let file = group.directory().join("cgroup.events");
            until_frozen(&file, deadline).context(|| format!("cgroup.events of {}", group.path))
        }),
    };
    match frozen? {
        true => Ok(()),
        false => Err(Error::new(format!("not all processes stopped within {} s", patience.as_secs()))
            .hint("one may wait in the kernel for a device or a network filesystem")),
    }
}

/// FREEZING is what the file says until all have stopped; there is no event.
fn freeze_v1(group: &RecordedGroup, deadline: Instant) -> Result<bool> {
    let file = group.directory().join("freezer.state");
    for attempt in 1.. {
        set(group, true)?;
        match read_small(&file) {
            Ok(state) if state.trim() == "FROZEN" => return Ok(true),
            Err(e) if is_gone(&e) => return Ok(true),
            state => drop(state.context(|| format!("freezer.state of {}", group.path))?),
        }
        if Instant::now() >= deadline {
            break;
        }
        if attempt % TRIES == 0 {
            set(group, false)?;
            sys::poll::poll(&mut [], 10).context(|| "poll")?;
        }
    }
    Ok(false)
}

/// The kernel announces each change with POLLPRI.
fn until_frozen(events: &Path, deadline: Instant) -> io::Result<bool> {
    let file = match File::open(events) {
        Err(e) if is_gone(&e) => return Ok(true),
        file => file?,
    };
    loop {
        let mut buffer = [0; 256];
        let n = match file.read_at(&mut buffer, 0) {
            Err(e) if is_gone(&e) => return Ok(true),
            n => n?,
        };
        if flag(&String::from_utf8_lossy(&buffer[..n]), "frozen") {
            return Ok(true);
        }
        let mut fds = [libc::pollfd { fd: file.as_raw_fd(), events: libc::POLLPRI, revents: 0 }];
        if sys::poll::poll(&mut fds, milliseconds_until(deadline))? == 0 {
            return Ok(false);
        }
    }
}
