//! Writes the planned values into the files of a group, and can put back what was there.

use super::create::refusal;
use super::{open_for_writing, read_small};
use crate::error::{Context, Error, Result};
use crate::plan::cgroup::{Absent, Write, former};
use std::fs::File;
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

/// Writes in order. Where limits are checked against each other (memory against memory+swap, quota
/// against period and burst), which of them has to come first depends on what is set already: a write
/// refused with EINVAL is tried again when the others are done, as long as that helps.
pub(super) fn write_limits(target: &Path, writes: &[Write], journal: Option<&mut Journal>) -> Result<()> {
    writes.iter().try_for_each(|write| check_usage(target, write))?;
    let mut files = Files { directory: target, open: None, journal };
    let mut pending: Vec<&Write> = writes.iter().collect();
    loop {
        let (before, mut refused) = (pending.len(), Vec::new());
        for write in pending {
            match files.write(write) {
                Ok(()) => {}
                Err(e) if e.raw_os_error() == Some(libc::EINVAL) => refused.push((write, e)),
                Err(e) => return Err(write_error(write, &e)),
            }
        }
        match refused.first() {
            None => return Ok(()),
            Some((write, e)) if refused.len() == before => return Err(write_error(write, e)),
            Some(_) => pending = refused.into_iter().map(|(write, _)| write).collect(),
        }
    }
}

/// `checkBeforeUpdate`: rather an error than processes killed.
fn check_usage(target: &Path, write: &Write) -> Result<()> {
    let Some(file) = &write.not_below else { return Ok(()) };
    let Ok(wanted) = write.value.parse::<u64>() else { return Ok(()) };
    let used = match read_small(&target.join(file)) {
        Err(e) if e.kind() == ErrorKind::NotFound && write.absent == Absent::Skip => return Ok(()),
        used => used.context(|| format!("read {file}"))?,
    };
    match used.trim().parse::<u64>() {
        Ok(used) if used > wanted => Err(Error::new(format!("{used} bytes are in use ({file})"))
            .context(what(write))
            .hint("checkBeforeUpdate is set: without it processes may be killed to get below the limit")),
        _ => Ok(()),
    }
}

pub(super) fn write_error(write: &Write, cause: &io::Error) -> Error {
    let error = refusal(Error::io(what(write), cause), cause);
    match (write.controller(), cause.raw_os_error()) {
        ("memory", Some(libc::EBUSY)) => error.hint("more is in use, and not enough of it can be reclaimed"),
        ("blkio" | "io", Some(libc::ENOENT)) if write.absent != Absent::Refuse => {
            error.hint("this kernel was built without weights for block I/O")
        }
        ("blkio" | "io", Some(libc::EOPNOTSUPP)) => {
            error.hint("of this disk neither BFQ (its scheduler) nor iocost (io.cost.qos) keeps weights")
        }
        ("blkio" | "io", Some(libc::ENODEV)) => error.hint("no whole disk has these numbers"),
        ("hugetlb", Some(libc::ENOENT)) => {
            error.hint("/sys/kernel/mm/hugepages has the sizes of this machine")
        }
        _ => error,
    }
}

/// What was being done, for an error.
pub(super) fn what(write: &Write) -> String {
    format!("{}: write {:?} to {}", write.location, write.value, write.file)
}

/// Keeps the file open from one write to the next: device rules are many writes to one file.
struct Files<'a> {
    directory: &'a Path,
    open: Option<(String, File)>,
    journal: Option<&'a mut Journal>,
}

impl Files<'_> {
    fn write(&mut self, write: &Write) -> io::Result<()> {
        match (self.put(&write.file, &write.value), &write.absent) {
            (Err(e), Absent::Skip) if e.kind() == ErrorKind::NotFound => Ok(()),
            // There may be a file of BFQ, which is not the scheduler of this disk (EOPNOTSUPP).
            (Err(e), Absent::Instead { file, value })
                if is_missing(&e) || e.raw_os_error() == Some(libc::EOPNOTSUPP) =>
            {
                self.put(file, value).map_err(|other| if is_missing(&other) { e } else { other })
            }
            (written, _) => written,
        }
    }

    fn put(&mut self, name: &str, value: &str) -> io::Result<()> {
        let path = self.directory.join(name);
        if self.open.as_ref().is_none_or(|(open, _)| open != name) {
            self.open = Some((name.into(), open_for_writing(&path)?));
        }
        let Some((_, file)) = &mut self.open else { return Ok(()) };
        let former = match &self.journal {
            Some(_) => read_small(&path).ok().map(|content| former(name, value, &content)),
            None => None,
        };
        // One write(2) is one value: what the kernel takes of it, it takes as a whole.
        file.write(value.as_bytes()).map(drop)?;
        if let Some(journal) = &mut self.journal {
            journal.written.push((path, former.flatten()));
        }
        Ok(())
    }
}

fn is_missing(error: &io::Error) -> bool {
    error.kind() == ErrorKind::NotFound
}

/// What was written, and what was there before; `None` where nobody can say that.
#[derive(Debug, Default)]
pub(super) struct Journal {
    written: Vec<(PathBuf, Option<String>)>,
}

impl Journal {
    /// What puts back what is done by other means than [`write_limits`].
    pub(super) fn note(&mut self, path: PathBuf, former: Option<String>) {
        self.written.push((path, former));
    }

    /// Puts everything back, the last first; gives the files for which that did not work.
    pub(super) fn undo(self) -> Vec<PathBuf> {
        let (known, mut lost): (Vec<_>, Vec<_>) =
            self.written.into_iter().rev().partition(|(_, former)| former.is_some());
        let mut pending = known;
        loop {
            let before = pending.len();
            pending.retain(|(path, former)| put_back(path, former.as_deref().unwrap_or_default()).is_err());
            if pending.is_empty() || pending.len() == before {
                break;
            }
        }
        lost.extend(pending);
        lost.into_iter().map(|(path, _)| path).collect()
    }
}

fn put_back(path: &Path, value: &str) -> io::Result<()> {
    open_for_writing(path)?.write(value.as_bytes()).map(drop)
}
