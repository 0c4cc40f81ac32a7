//! Where things are mounted and made: resolved in the root on fds only (openat2(2)), made if missing.

use super::errno;
use crate::plan::mounts::{Mount, Source};
use crate::plan::path::{InRoot, Prefix};
use crate::sys;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

pub(super) const DIRECTORY: i32 = libc::O_PATH | libc::O_DIRECTORY;

pub(super) fn mount_target(root: BorrowedFd, m: &Mount, new: BorrowedFd) -> io::Result<OwnedFd> {
    if matches!(&m.source, Source::Filesystem(fs) if fs.no_symlinks) {
        make_directories(root, &m.target.prefixes)?;
        return sys::fs::open_in_root_no_symlinks(root, &m.target.full, DIRECTORY);
    }
    match sys::fs::fstat(new)?.is(libc::S_IFDIR) {
        true => directory_target(root, &m.target),
        false => file_target(root, &m.target),
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
    let Some((last, parents)) = path.prefixes.split_last() else {
        return Err(io::Error::from_raw_os_error(libc::EISDIR));
    };
    let parent = make_directories(root, parents)?;
    let parent = parent.as_ref().map_or(root, AsFd::as_fd);
    // Never through a link that somebody put there, never an existing file (CVE-2024-45310).
    drop(sys::fs::create_new(parent, &last.name, libc::O_RDONLY, 0o644)?);
    sys::fs::open_in_root(root, &path.full, libc::O_PATH)
}
