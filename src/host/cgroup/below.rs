//! The sub-cgroups of `exec --cgroup`, which the container has made.

use super::{Cgroup, Record, RecordedGroup};
use crate::error::{Context, Error, Result};
use crate::plan::cgroup::Version;
use crate::sys;
use crate::sys::fs::CWD;
use std::ffi::CString;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;

/// A sub-cgroup of a container's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Below {
    /// In the v1 hierarchies of these controllers; in all there are if none is named.
    pub controllers: Vec<String>,
    /// Relative to the container's.
    pub path: String,
}

impl Below {
    fn is_for(&self, group: &RecordedGroup) -> bool {
        self.controllers.is_empty() || self.controllers.iter().any(|c| is_of(c, group))
    }

    fn what(&self) -> String {
        match self.controllers.is_empty() {
            true => format!("--cgroup {}", self.path),
            false => format!("--cgroup {}:{}", self.controllers.join(","), self.path),
        }
    }
}

fn is_of(controller: &str, group: &RecordedGroup) -> bool {
    group.version == Version::V1 && group.controllers.iter().any(|c| c == controller)
}

/// Opens the groups of a container, or those below them that are wanted.
///
/// # Errors
/// One that is not there, two for one hierarchy, a controller that no v1 hierarchy has.
pub fn open_below(record: &Record, wanted: &[Below]) -> Result<Cgroup> {
    if wanted.is_empty() {
        return super::open(record);
    }
    check(record, wanted)?;
    let mut cgroup = Cgroup { record: record.clone(), ..Cgroup::default() };
    for group in &record.groups {
        match wanted.iter().find(|w| w.is_for(group)) {
            Some(below) => cgroup.enter_below(group, below)?,
            None => cgroup.open(group.version, &group.directory(), group.optional)?,
        }
    }
    Ok(cgroup)
}

fn check(record: &Record, wanted: &[Below]) -> Result<()> {
    for (i, below) in wanted.iter().enumerate() {
        if record.groups.is_empty() {
            return Err(Error::new("the container has no cgroup of its own").context(below.what()));
        }
        let lacking = below.controllers.iter().find(|c| !record.groups.iter().any(|g| is_of(c, g)));
        if let Some(controller) = lacking {
            let error =
                Error::new(format!("the container has no v1 cgroup of the controller {controller:?}"));
            return Err(error.context(below.what()).hint("cgroup v2 has one hierarchy: name the path alone"));
        }
        let both = |other: &&Below| record.groups.iter().any(|g| other.is_for(g) && below.is_for(g));
        if let Some(other) = wanted[..i].iter().find(both) {
            let error = Error::new(format!("excludes {}: both are for one hierarchy", other.what()));
            return Err(error.context(below.what()));
        }
    }
    Ok(())
}

impl Cgroup {
    fn enter_below(&mut self, group: &RecordedGroup, below: &Below) -> Result<()> {
        let flags = libc::O_PATH | libc::O_DIRECTORY;
        let name = |bytes: &[u8]| CString::new(bytes).map_err(io::Error::from);
        let mut open = || {
            let own = sys::fs::openat(CWD, &name(group.directory().as_os_str().as_bytes())?, flags, 0)?;
            let resolve = libc::RESOLVE_BENEATH | libc::RESOLVE_NO_SYMLINKS | libc::RESOLVE_NO_XDEV;
            let path = below.path.trim_matches('/');
            let path = if path.is_empty() { "." } else { path };
            let directory = sys::fs::openat2(own.as_fd(), &name(path.as_bytes())?, flags, 0, resolve)?;
            match group.version {
                Version::V1 => self.tasks.push(sys::fs::openat(
                    directory.as_fd(),
                    c"tasks",
                    libc::O_WRONLY | libc::O_NOFOLLOW,
                    0,
                )?),
                Version::V2 => self.into = Some(directory),
            }
            Ok::<(), io::Error>(())
        };
        let opened = open().context(|| format!("{}: in {}", below.what(), group.directory().display()));
        opened.map_err(|e| match e.as_errno() {
            Some(libc::ENOENT) => e.hint("exec does not make it; the container does"),
            _ => e,
        })
    }
}
