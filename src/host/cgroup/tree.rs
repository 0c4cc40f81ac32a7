//! A group and all groups below it.
//!
//! By names from one directory to the next, with one of them open at a time: a container may make groups
//! whose paths are longer than PATH_MAX, and deeper than there may be open files.

use crate::sys::fs::{CWD, openat};
use std::ffi::{CStr, CString, OsStr, OsString};
use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// What is visited.
pub(super) enum Visit<'a> {
    /// The directory of a group, before what is below it.
    Group(BorrowedFd<'a>),
    /// The name of a group in that of its parent, after what was below it. Not of the topmost.
    Left(BorrowedFd<'a>, CString),
}

/// One level on the way down: the name of the group, and the groups in it that are to come.
struct Level {
    name: CString,
    rest: Vec<CString>,
}

/// Visits the group `top` and all below it, until `visit` says false; groups that are gone are passed over.
pub(super) fn walk(top: &Path, mut visit: impl FnMut(Visit) -> io::Result<bool>) -> io::Result<bool> {
    let mut here = match open(CWD, &name_of(top.as_os_str().to_owned())?) {
        Err(e) if is_gone(&e) => return Ok(true),
        opened => opened?,
    };
    let mut above: Vec<Level> = Vec::new();
    let mut level = Level { name: CString::default(), rest: groups_in(here.as_fd())? };
    if !visit(Visit::Group(here.as_fd()))? {
        return Ok(false);
    }
    loop {
        if let Some(name) = level.rest.pop() {
            here = match open(here.as_fd(), &name) {
                Err(e) if is_gone(&e) => continue,
                opened => opened?,
            };
            above.push(std::mem::replace(&mut level, Level { name, rest: groups_in(here.as_fd())? }));
            if !visit(Visit::Group(here.as_fd()))? {
                return Ok(false);
            }
        } else if let Some(parent) = above.pop() {
            here = open(here.as_fd(), c"..")?;
            let name = std::mem::replace(&mut level, parent).name;
            if !visit(Visit::Left(here.as_fd(), name))? {
                return Ok(false);
            }
        } else {
            return Ok(true);
        }
    }
}

/// The groups below a group, for what is read only: those that the container has hidden too deep, or closed,
/// are left out.
pub fn directories(top: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut to_do = vec![top.to_owned()];
    while let Some(directory) = to_do.pop() {
        if has_none_below(&directory) {
            continue;
        }
        for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                found.push(entry.path());
                to_do.push(entry.path());
            }
        }
    }
    found
}

/// The number of its links tells, which spares reading it: its own `.`, its name, and one `..` for each below.
fn has_none_below(directory: &Path) -> bool {
    fs::symlink_metadata(directory).is_ok_and(|metadata| metadata.nlink() == 2)
}

fn open(at: BorrowedFd, name: &CStr) -> io::Result<OwnedFd> {
    let open = || openat(at, name, libc::O_RDONLY | libc::O_DIRECTORY | libc::O_NOFOLLOW, 0);
    open().or_else(|e| unlock(at, name, e).and_then(|()| open()))
}

/// A container that owns its groups can close them to whoever has its uid: after such a refusal opens one.
pub(super) fn unlock(at: BorrowedFd, name: &CStr, refusal: io::Error) -> io::Result<()> {
    if refusal.kind() != ErrorKind::PermissionDenied {
        return Err(refusal);
    }
    let name = Path::new(OsStr::from_bytes(name.to_bytes()));
    // An absolute name stands for itself.
    let path = Path::new(&format!("/proc/self/fd/{}", at.as_raw_fd())).join(name);
    fs::set_permissions(path, Permissions::from_mode(0o700)).map_err(|_| refusal)
}

fn name_of(name: OsString) -> io::Result<CString> {
    CString::new(name.into_vec()).map_err(|e| io::Error::new(ErrorKind::InvalidInput, e))
}

/// The names of the groups in a group; none if it is gone.
fn groups_in(group: BorrowedFd) -> io::Result<Vec<CString>> {
    let mut groups = Vec::new();
    let entries = match fs::read_dir(format!("/proc/self/fd/{}", group.as_raw_fd())) {
        Err(e) if is_gone(&e) => return Ok(groups),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            groups.push(name_of(entry.file_name())?);
        }
    }
    Ok(groups)
}

/// ENODEV: the group went away between open(2) and read(2).
pub(super) fn is_gone(error: &io::Error) -> bool {
    error.kind() == ErrorKind::NotFound || error.raw_os_error() == Some(libc::ENODEV)
}
