//! What the copy of a tree needs: entries of directories, links, attributes, times, contents.

use super::check;
use super::fs::Stat;
use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// getdents64(2): as many entries as there is room for; 0 at the end.
pub fn entries(dir: BorrowedFd, buf: &mut [u8]) -> io::Result<usize> {
    let (fd, data, len) = (dir.as_raw_fd(), buf.as_mut_ptr(), buf.len());
    // SAFETY: pointer and length are of one slice.
    check(unsafe { libc::syscall(libc::SYS_getdents64, fd, data, len) }).map(|n| n as usize)
}

/// The first entry of what [`entries`] has read: its name, where the next one is, and the rest.
pub fn first_entry(buf: &[u8]) -> Option<(&CStr, i64, &[u8])> {
    // struct linux_dirent64: ino, off, reclen, type, name.
    let next = i64::from_ne_bytes(buf.get(8..16)?.try_into().ok()?);
    let len = u16::from_ne_bytes(buf.get(16..18)?.try_into().ok()?);
    let name = CStr::from_bytes_until_nul(buf.get(19..usize::from(len))?).ok()?;
    Some((name, next, &buf[usize::from(len)..]))
}

/// lseek(2)
pub fn seek(fd: BorrowedFd, offset: i64, whence: i32) -> io::Result<i64> {
    // SAFETY: plain integers.
    check(unsafe { libc::lseek(fd.as_raw_fd(), offset, whence) })
}

/// readlinkat(2), with the NUL byte that it leaves out; ENAMETOOLONG where that does not fit.
pub fn readlinkat<'b>(dir: BorrowedFd, name: &CStr, buf: &'b mut [u8]) -> io::Result<&'b CStr> {
    let (fd, data, len) = (dir.as_raw_fd(), buf.as_mut_ptr().cast(), buf.len());
    // SAFETY: name is NUL-terminated, pointer and length are of one slice.
    let n = check(unsafe { libc::readlinkat(fd, name.as_ptr(), data, len) } as libc::c_long)? as usize;
    let too_long = || io::Error::from_raw_os_error(libc::ENAMETOOLONG);
    *buf.get_mut(n).ok_or_else(too_long)? = 0;
    CStr::from_bytes_until_nul(buf).map_err(|_| too_long())
}

/// flistxattr(2): names, each with its NUL byte.
pub fn list_xattrs(fd: BorrowedFd, buf: &mut [u8]) -> io::Result<usize> {
    // SAFETY: pointer and length are of one slice.
    let n = unsafe { libc::flistxattr(fd.as_raw_fd(), buf.as_mut_ptr().cast(), buf.len()) };
    check(n as libc::c_long).map(|n| n as usize)
}

/// fgetxattr(2)
pub fn get_xattr(fd: BorrowedFd, name: &CStr, buf: &mut [u8]) -> io::Result<usize> {
    let (data, len) = (buf.as_mut_ptr().cast(), buf.len());
    // SAFETY: name is NUL-terminated, pointer and length are of one slice.
    check(unsafe { libc::fgetxattr(fd.as_raw_fd(), name.as_ptr(), data, len) } as libc::c_long)
        .map(|n| n as usize)
}

/// fsetxattr(2)
pub fn set_xattr(fd: BorrowedFd, name: &CStr, value: &[u8]) -> io::Result<()> {
    let (data, len) = (value.as_ptr().cast(), value.len());
    // SAFETY: name is NUL-terminated, pointer and length are of one slice.
    check(unsafe { libc::fsetxattr(fd.as_raw_fd(), name.as_ptr(), data, len, 0) }.into()).map(drop)
}

/// utimensat(2) of the entry itself: the times of `of`.
pub fn set_times(dir: BorrowedFd, name: &CStr, of: &Stat) -> io::Result<()> {
    let times = of.times.map(|(tv_sec, tv_nsec)| libc::timespec { tv_sec, tv_nsec });
    let (fd, flags) = (dir.as_raw_fd(), libc::AT_SYMLINK_NOFOLLOW);
    // SAFETY: name is NUL-terminated and there are two times.
    check(unsafe { libc::utimensat(fd, name.as_ptr(), times.as_ptr(), flags) }.into()).map(drop)
}

/// fchmodat(2); follows a symbolic link, so only for what this process has just made as something else.
pub fn chmodat_following(dir: BorrowedFd, name: &CStr, mode: u32) -> io::Result<()> {
    // SAFETY: name is NUL-terminated.
    check(unsafe { libc::fchmodat(dir.as_raw_fd(), name.as_ptr(), mode, 0) }.into()).map(drop)
}

/// ftruncate(2)
pub fn truncate(fd: BorrowedFd, size: i64) -> io::Result<()> {
    // SAFETY: plain integers.
    check(unsafe { libc::ftruncate(fd.as_raw_fd(), size) }.into()).map(drop)
}

/// sendfile(2) from where `from` is to where `to` is; 0 at the end.
pub fn transfer(to: BorrowedFd, from: BorrowedFd, most: usize) -> io::Result<usize> {
    // SAFETY: no offset is given, the fds' own are used.
    let n = unsafe { libc::sendfile(to.as_raw_fd(), from.as_raw_fd(), std::ptr::null_mut(), most) };
    check(n as libc::c_long).map(|n| n as usize)
}
