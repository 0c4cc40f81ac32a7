//! Namespaces: setns(2), unshare(2), ioctl_ns(2).

use super::check;
use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

const NS_GET_NSTYPE: libc::Ioctl = 0xb703;

/// setns(2)
pub fn setns(fd: BorrowedFd, kind: u64) -> io::Result<()> {
    // SAFETY: plain integers.
    check(unsafe { libc::setns(fd.as_raw_fd(), kind as i32) }.into()).map(drop)
}

/// unshare(2)
pub fn unshare(flags: u64) -> io::Result<()> {
    // SAFETY: plain integers.
    check(unsafe { libc::unshare(flags as i32) }.into()).map(drop)
}

/// Which `CLONE_NEW*` an nsfs file is (ioctl_ns(2)); ENOTTY if it is none.
pub fn kind_of(fd: BorrowedFd) -> io::Result<u64> {
    // SAFETY: the ioctl takes no argument.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), NS_GET_NSTYPE) }.into()).map(|kind| kind as u64)
}

/// sethostname(2)
pub fn sethostname(name: &CStr) -> io::Result<()> {
    let bytes = name.to_bytes();
    // SAFETY: pointer and length are of one string.
    check(unsafe { libc::sethostname(bytes.as_ptr().cast(), bytes.len()) }.into()).map(drop)
}

/// setdomainname(2)
pub fn setdomainname(name: &CStr) -> io::Result<()> {
    let bytes = name.to_bytes();
    // SAFETY: pointer and length are of one string.
    check(unsafe { libc::setdomainname(bytes.as_ptr().cast(), bytes.len()) }.into()).map(drop)
}
