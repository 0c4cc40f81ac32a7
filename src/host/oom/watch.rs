//! Waits for the OOM killer.

use super::{Oom, kills, tell};
use crate::error::{Context, Result};
use crate::host::cgroup::{Record, directories};
use crate::plan::cgroup::Version;
use crate::sys;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

/// v1 tells of the lack of memory before it kills: how long, in ms, until the next look at the count.
const SOON: i32 = 2;

/// v1: how many such looks. Where somebody is dying anyway nobody is killed.
const LOOKS: u32 = 500;

/// The groups of a container, and how many of its processes were killed when it was looked at last.
#[derive(Debug)]
pub struct Watch {
    record: Record,
    version: Version,
    top: PathBuf,
    told: u64,
    /// v1: it was told of a lack of memory that has not killed yet; how often to look.
    pending: u32,
    bells: Vec<Bell>,
}

/// What rings when something happens to a group.
#[derive(Debug)]
struct Bell {
    /// v1: an eventfd(2); v2: `memory.events`.
    fd: OwnedFd,
    group: PathBuf,
}

impl Watch {
    /// From now on; without a memory controller there is nothing to watch.
    pub fn new(record: &Record) -> Result<Option<Watch>> {
        let Some(group) = record.with_controller("memory") else { return Ok(None) };
        let Some(told) = kills(record) else { return Ok(None) };
        let (version, top) = (group.version, group.directory());
        let mut watch = Watch { record: record.clone(), version, top, told, pending: 0, bells: Vec::new() };
        watch.hang_bells()?;
        Ok(Some(watch))
    }

    /// v2 passes what happens on to the groups above, v1 does not.
    fn hang_bells(&mut self) -> Result<()> {
        let mut groups = vec![self.top.clone()];
        if self.version == Version::V1 {
            groups.extend(directories(&self.top));
        }
        self.bells.retain(|bell| groups.contains(&bell.group));
        groups.retain(|group| !self.bells.iter().any(|bell| bell.group == *group));
        for group in groups {
            let fd = match self.version {
                Version::V1 => event(&group),
                Version::V2 => File::open(group.join("memory.events")).map(OwnedFd::from),
            };
            match fd {
                Ok(fd) => self.bells.push(Bell { fd, group }),
                // It went away.
                Err(e) if !group.exists() => drop(e),
                Err(e) => return Err(e).context(|| format!("memory events of {}", group.display())),
            }
        }
        Ok(())
    }

    /// For poll(2).
    pub fn interest(&self) -> impl Iterator<Item = libc::pollfd> {
        let events = match self.version {
            Version::V1 => libc::POLLIN,
            Version::V2 => libc::POLLPRI,
        };
        self.bells.iter().map(move |bell| libc::pollfd { fd: bell.fd.as_raw_fd(), events, revents: 0 })
    }

    /// How long poll(2) may take at most, if that matters.
    pub fn patience(&self) -> Option<i32> {
        (self.pending > 0).then_some(SOON)
    }

    /// To be called whenever poll(2) has returned: what has happened since the last time.
    pub fn look(&mut self) -> Result<Option<Oom>> {
        self.pending = if self.rang() { LOOKS } else { self.pending.saturating_sub(1) };
        let Some(now) = kills(&self.record) else {
            self.bells.clear();
            // Gone with all its counts, after it had told of a lack of memory.
            return Ok((std::mem::take(&mut self.pending) > 0).then(|| tell(&self.record, 1)));
        };
        self.hang_bells()?;
        let new = now.saturating_sub(self.told);
        self.told = now;
        // With `disableOOMKiller` nobody is killed: those that need memory wait.
        let waits = self.pending > 0 && nobody_is_killed(&self.top);
        if new == 0 && !waits {
            return Ok(None);
        }
        self.pending = 0;
        Ok(Some(tell(&self.record, new)))
    }

    /// v1: was there a lack of memory? The kernel rings also when a group is removed, which then is not there.
    fn rang(&self) -> bool {
        if self.version == Version::V2 {
            // To be told of the next change the file must be read, through this fd.
            self.bells.iter().for_each(|bell| drop(sys::fs::pread(bell.fd.as_fd(), &mut [0; 512], 0)));
            return false;
        }
        let mut counter = [0; 8];
        let rang = |bell: &&Bell| sys::fs::read(bell.fd.as_fd(), &mut counter).is_ok() && bell.group.exists();
        self.bells.iter().filter(rang).count() > 0
    }
}

/// An eventfd that the kernel rings when the group lacks memory (memory.rst, "OOM Control").
fn event(group: &Path) -> io::Result<OwnedFd> {
    let event = sys::poll::eventfd()?;
    let control = File::open(group.join("memory.oom_control"))?;
    let line = format!("{} {}", event.as_raw_fd(), control.as_raw_fd());
    fs::write(group.join("cgroup.event_control"), line)?;
    Ok(event)
}

fn nobody_is_killed(group: &Path) -> bool {
    let text = fs::read_to_string(group.join("memory.oom_control")).unwrap_or_default();
    ["oom_kill_disable 1", "under_oom 1"].iter().all(|flag| text.lines().any(|line| line == *flag))
}
