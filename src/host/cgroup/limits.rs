//! Writes the planned values into the files of a group.

use super::create::refusal;
use super::{open_for_writing, read_small};
use crate::error::{Context, Error, Result};
use crate::plan::cgroup::{Absent, Write};
use std::fs::File;
use std::io::{self, ErrorKind, Write as _};
use std::path::Path;

/// Writes in order. Where limits are checked against each other (memory against memory+swap, quota
/// against period and burst), which of them has to come first depends on what is set already: a write
/// refused with EINVAL is tried again when the others are done, as long as that helps.
pub(super) fn write_limits(target: &Path, writes: &[Write]) -> Result<()> {
    writes.iter().try_for_each(|write| check_usage(target, write))?;
    let mut files = Files { directory: target, open: None };
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
}

impl Files<'_> {
    fn write(&mut self, write: &Write) -> io::Result<()> {
        match (self.put(&write.file, &write.value), &write.absent) {
            (Err(e), Absent::Skip) if e.kind() == ErrorKind::NotFound => Ok(()),
            (Err(e), Absent::Instead { file, value }) if e.kind() == ErrorKind::NotFound => {
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
        // One write(2) is one value: what the kernel takes of it, it takes as a whole.
        file.write(value.as_bytes()).map(drop)
    }
}

fn is_missing(error: &io::Error) -> bool {
    error.kind() == ErrorKind::NotFound
}
