//! `tmpcopyup`: a tmpfs begins with a copy of what it covers.
//!
//! One pair of directories is open at a time, and everything has its place on the stack, so that nothing
//! is allocated and a tree of any size is copied: on the way up `..` leads back, if it is the directory
//! that it was. No symbolic link is ever followed.

use super::Done;
use crate::sys::fs::{self, Stat};
use crate::sys::tree;
use crate::wire::{Failure, NOTE, Step};
use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Directories below each other.
const DEPTH: usize = 2048;

const DIRECTORY: i32 = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_NOFOLLOW;

/// Where to go on in a directory, and which one that was.
#[derive(Clone, Copy)]
struct Place {
    next: i64,
    dev: u64,
    ino: u64,
}

struct Walk {
    from: OwnedFd,
    to: OwnedFd,
    places: [Place; DEPTH],
    depth: usize,
    attributes: Attributes,
    /// What is being copied, for the record of a failure.
    name: [u8; NOTE],
}

/// Room for the names of extended attributes and for one value (`XATTR_LIST_MAX`, `XATTR_SIZE_MAX`).
struct Attributes {
    names: [u8; 65536],
    value: [u8; 65536],
}

/// Copies what is in `from`, and its attributes other than owner and mode, to the tmpfs `to`.
#[inline(never)]
pub(super) fn copy_up(from: BorrowedFd, to: BorrowedFd, i: usize) -> Done {
    let failed = |e: &io::Error, note| Failure { note, ..Failure::new(Step::CopyUp, i, e) };
    let open = |dir| fs::openat(dir, c".", DIRECTORY, 0).map_err(|e| failed(&e, [0; NOTE]));
    let mut walk = Walk {
        from: open(from)?,
        to: open(to)?,
        places: [Place { next: 0, dev: 0, ino: 0 }; DEPTH],
        depth: 0,
        attributes: Attributes { names: [0; 65536], value: [0; 65536] },
        name: [0; NOTE],
    };
    walk.all().map_err(|e| failed(&e, walk.name))
}

impl Walk {
    fn all(&mut self) -> io::Result<()> {
        let mut next = 0;
        loop {
            if self.directory(next)? {
                next = 0;
                continue;
            }
            let stat = fs::fstat(self.from.as_fd())?;
            self.attributes.copy(self.from.as_fd(), self.to.as_fd())?;
            tree::set_times(self.to.as_fd(), c".", &stat)?;
            let Some(depth) = self.depth.checked_sub(1) else { return Ok(()) };
            self.depth = depth;
            self.leave(self.places[depth])?;
            next = self.places[depth].next;
        }
    }

    /// Copies what is in the directory from `next` on; true if it went down into another.
    fn directory(&mut self, next: i64) -> io::Result<bool> {
        let mut buf = [0; 16384];
        tree::seek(self.from.as_fd(), next, libc::SEEK_SET)?;
        loop {
            let n = tree::entries(self.from.as_fd(), &mut buf)?;
            let mut rest = &buf[..n];
            if n == 0 {
                return Ok(false);
            }
            while let Some((name, next, others)) = tree::first_entry(rest) {
                rest = others;
                if matches!(name.to_bytes(), b"." | b"..") {
                    continue;
                }
                let len = name.count_bytes().min(NOTE);
                self.name = [0; NOTE];
                self.name[..len].copy_from_slice(&name.to_bytes()[..len]);
                let stat = fs::statat(self.from.as_fd(), name)?;
                if stat.is(libc::S_IFDIR) {
                    return self.enter(name, &stat, next).map(|()| true);
                }
                self.entry(name, &stat)?;
            }
        }
    }

    fn enter(&mut self, name: &CStr, stat: &Stat, next: i64) -> io::Result<()> {
        let here = fs::fstat(self.from.as_fd())?;
        let place =
            self.places.get_mut(self.depth).ok_or(io::Error::from_raw_os_error(libc::ENAMETOOLONG))?;
        *place = Place { next, dev: here.dev, ino: here.ino };
        self.depth += 1;
        let from = fs::openat(self.from.as_fd(), name, DIRECTORY, 0)?;
        fs::mkdirat(self.to.as_fd(), name, 0o700)?;
        give(self.to.as_fd(), name, stat)?;
        self.to = fs::openat(self.to.as_fd(), name, DIRECTORY, 0)?;
        self.from = from;
        Ok(())
    }

    /// Back up to the directory of that place.
    fn leave(&mut self, place: Place) -> io::Result<()> {
        self.from = fs::openat(self.from.as_fd(), c"..", DIRECTORY, 0)?;
        self.to = fs::openat(self.to.as_fd(), c"..", DIRECTORY, 0)?;
        let there = fs::fstat(self.from.as_fd())?;
        match (there.dev, there.ino) == (place.dev, place.ino) {
            true => Ok(()),
            // Somebody moved it meanwhile.
            false => Err(io::Error::from_raw_os_error(libc::ESTALE)),
        }
    }

    fn entry(&mut self, name: &CStr, stat: &Stat) -> io::Result<()> {
        let to = self.to.as_fd();
        match stat.mode & libc::S_IFMT {
            libc::S_IFREG => return self.file(name),
            libc::S_IFLNK => {
                let mut buf = [0; libc::PATH_MAX as usize];
                fs::symlinkat(tree::readlinkat(self.from.as_fd(), name, &mut buf)?, to, name)?;
            }
            _ => fs::mknodat(to, name, stat.mode, stat.rdev.0, stat.rdev.1)?,
        }
        give(to, name, stat)?;
        tree::set_times(to, name, stat)
    }

    fn file(&mut self, name: &CStr) -> io::Result<()> {
        let flags = libc::O_RDONLY | libc::O_NOFOLLOW | libc::O_NONBLOCK;
        let from = fs::openat(self.from.as_fd(), name, flags, 0)?;
        let stat = fs::fstat(from.as_fd())?;
        if !stat.is(libc::S_IFREG) {
            return Err(io::Error::from_raw_os_error(libc::ESTALE));
        }
        let to = fs::create_new(self.to.as_fd(), name, libc::O_WRONLY, 0o600)?;
        contents(from.as_fd(), to.as_fd(), stat.size)?;
        give(self.to.as_fd(), name, &stat)?;
        self.attributes.copy(from.as_fd(), to.as_fd())?;
        tree::set_times(self.to.as_fd(), name, &stat)
    }
}

/// The data, but not the holes: a sparse file may be larger than the tmpfs.
fn contents(from: BorrowedFd, to: BorrowedFd, size: i64) -> io::Result<()> {
    let mut at = 0;
    while at < size {
        let data = match tree::seek(from, at, libc::SEEK_DATA) {
            // A hole up to the end.
            Err(e) if super::errno(&e) == libc::ENXIO => break,
            data => data?,
        };
        let end = tree::seek(from, data, libc::SEEK_HOLE)?.min(size);
        tree::seek(from, data, libc::SEEK_SET)?;
        tree::seek(to, data, libc::SEEK_SET)?;
        at = data;
        while at < end {
            match tree::transfer(to, from, (end - at) as usize)? {
                // It has become shorter.
                0 => return Ok(()),
                n => at += n as i64,
            }
        }
    }
    tree::truncate(to, size)
}

/// Owner and mode, in this order, since a change of the owner takes setuid away.
fn give(dir: BorrowedFd, name: &CStr, stat: &Stat) -> io::Result<()> {
    let owned = match fs::chownat(dir, name, stat.uid, stat.gid) {
        // An owner whom the user namespace does not have: root's then, but not to become root by it.
        Err(e) if super::errno(&e) == libc::EINVAL => false,
        done => done.map(|()| true)?,
    };
    if stat.is(libc::S_IFLNK) {
        return Ok(());
    }
    let mask = if owned { 0o7777 } else { 0o1777 };
    tree::chmodat_following(dir, name, stat.mode & mask)
}

impl Attributes {
    fn copy(&mut self, from: BorrowedFd, to: BorrowedFd) -> io::Result<()> {
        let n = match tree::list_xattrs(from, &mut self.names) {
            Err(e) if super::errno(&e) == libc::EOPNOTSUPP => return Ok(()),
            n => n?,
        };
        let mut rest = &self.names[..n];
        while let Ok(name) = CStr::from_bytes_until_nul(rest) {
            rest = &rest[name.count_bytes() + 1..];
            let n = tree::get_xattr(from, name, &mut self.value)?;
            match tree::set_xattr(to, name, &self.value[..n]) {
                // A tmpfs cannot have it, or this user namespace may not give it (trusted.*).
                Err(e) if matches!(super::errno(&e), libc::EOPNOTSUPP | libc::EPERM) => {}
                set => set?,
            }
        }
        Ok(())
    }
}
