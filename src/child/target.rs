//! Where things are mounted and made: resolved in the root on fds only (openat2(2)), made if missing.

use super::errno;
use crate::plan::mounts::{Bind, Mount, Source};
use crate::plan::path::{InRoot, Prefix};
use crate::sys;
use crate::sys::fs::CWD;
use crate::sys::tree;
use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

pub(super) const DIRECTORY: i32 = libc::O_PATH | libc::O_DIRECTORY;

/// Where a mount goes, made if it is missing.
pub(super) fn mount_target(root: BorrowedFd, m: &Mount, new: BorrowedFd) -> io::Result<OwnedFd> {
    if matches!(&m.source, Source::Filesystem(fs) if fs.no_symlinks) {
        make_directories(root, &m.target.prefixes)?;
        return sys::fs::open_in_root_no_symlinks(root, &m.target.full, DIRECTORY);
    }
    if m.on_link
        && let Some((parent, name)) = parent_of(root, &m.target)?
    {
        let parent = parent.as_ref().map_or(root, AsFd::as_fd);
        match sys::fs::openat(parent, name, libc::O_PATH | libc::O_NOFOLLOW, 0) {
            Err(e) if errno(&e) == libc::ENOENT => {}
            found => return found,
        }
    }
    match sys::fs::fstat(new)?.is(libc::S_IFDIR) {
        true => directory_target(root, &m.target),
        false => file_target(root, &m.target),
    }
}

/// What is mounted at the target already.
pub(super) fn existing_target(root: BorrowedFd, m: &Mount) -> io::Result<OwnedFd> {
    sys::fs::open_in_root(root, &m.target.full, libc::O_PATH)
}

/// The directory that holds the last component of `path`, made if it is missing; nothing for the root.
fn parent_of<'p>(root: BorrowedFd, path: &'p InRoot) -> io::Result<Option<(Option<OwnedFd>, &'p CStr)>> {
    let Some((last, parents)) = path.prefixes.split_last() else { return Ok(None) };
    Ok(Some((make_directories(root, parents)?, &last.name)))
}

/// Makes a symbolic link that says the same as the source; false if that is none.
pub(super) fn copy_link(root: BorrowedFd, bind: &Bind, path: &InRoot) -> io::Result<bool> {
    let (mut wanted, mut there) = ([0; libc::PATH_MAX as usize], [0; libc::PATH_MAX as usize]);
    let wanted = match tree::readlinkat(CWD, &bind.source, &mut wanted) {
        Err(e) if errno(&e) == libc::EINVAL => return Ok(false),
        text => text?,
    };
    let Some((parent, name)) = parent_of(root, path)? else { return Ok(false) };
    let parent = parent.as_ref().map_or(root, AsFd::as_fd);
    match sys::fs::symlinkat(wanted, parent, name) {
        Err(e) if errno(&e) == libc::EEXIST => match tree::readlinkat(parent, name, &mut there) {
            Ok(there) if there == wanted => Ok(true),
            _ => Err(e),
        },
        made => made.map(|()| true),
    }
}

/// The directory at `path` in the root, made with its parents if it is missing.
pub(super) fn directory_target(root: BorrowedFd, path: &InRoot) -> io::Result<OwnedFd> {
    match sys::fs::open_in_root(root, &path.full, DIRECTORY) {
        Err(e) if errno(&e) == libc::ENOENT => {
            make_directories(root, &path.prefixes)?;
            sys::fs::open_in_root(root, &path.full, DIRECTORY)
        }
        found => found,
    }
}

/// Makes the directories that are missing; gives the last one, or nothing for the root itself.
fn make_directories(root: BorrowedFd, prefixes: &[Prefix]) -> io::Result<Option<OwnedFd>> {
    let mut parent = None::<OwnedFd>;
    for prefix in prefixes {
        let found = match sys::fs::open_in_root(root, &prefix.path, DIRECTORY) {
            Err(e) if errno(&e) == libc::ENOENT => {
                let parent = parent.as_ref().map_or(root, AsFd::as_fd);
                match sys::fs::mkdirat(parent, &prefix.name, 0o755) {
                    // Somebody else made it, or it is a dangling link: the next open tells.
                    Err(e) if errno(&e) == libc::EEXIST => {}
                    made => made?,
                }
                sys::fs::open_in_root(root, &prefix.path, DIRECTORY)?
            }
            found => found?,
        };
        parent = Some(found);
    }
    Ok(parent)
}

/// The file at `path` in the root, made empty with its parents if it is missing.
pub(super) fn file_target(root: BorrowedFd, path: &InRoot) -> io::Result<OwnedFd> {
    match sys::fs::open_in_root(root, &path.full, libc::O_PATH) {
        Err(e) if errno(&e) == libc::ENOENT => {}
        found => return found,
    }
    let Some((parent, name)) = parent_of(root, path)? else {
        return Err(io::Error::from_raw_os_error(libc::EISDIR));
    };
    let parent = parent.as_ref().map_or(root, AsFd::as_fd);
    // Never through a link that somebody put there, never an existing file (CVE-2024-45310).
    drop(sys::fs::create_new(parent, name, libc::O_RDONLY, 0o644)?);
    sys::fs::open_in_root(root, &path.full, libc::O_PATH)
}
