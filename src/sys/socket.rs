//! Unix sockets that carry fixed-size records and fds.

use super::{check, owned};
use std::ffi::CStr;
use std::io;
use std::mem::{MaybeUninit, zeroed};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

const SEQPACKET: i32 = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC;

/// socketpair(2) of type `SOCK_SEQPACKET`: messages keep their bounds, an end that was closed reads
/// as an empty message.
pub fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut fds = [-1i32; 2];
    // SAFETY: fds has room for two.
    check(unsafe { libc::socketpair(libc::AF_UNIX, SEQPACKET, 0, fds.as_mut_ptr()) }.into())?;
    Ok((owned(fds[0].into())?, owned(fds[1].into())?))
}

fn address(path: &CStr) -> io::Result<(libc::sockaddr_un, libc::socklen_t)> {
    address_of(path.to_bytes())
}

/// A path, or an abstract name, which begins with a NUL byte and has the length that is told.
fn address_of(bytes: &[u8]) -> io::Result<(libc::sockaddr_un, libc::socklen_t)> {
    // SAFETY: an all-zero sockaddr_un is a valid one.
    let mut addr: libc::sockaddr_un = unsafe { zeroed() };
    addr.sun_family = libc::AF_UNIX as libc::sa_family_t;
    if bytes.len() >= addr.sun_path.len() {
        return Err(io::Error::from_raw_os_error(libc::ENAMETOOLONG));
    }
    for (to, from) in addr.sun_path.iter_mut().zip(bytes) {
        *to = *from as libc::c_char;
    }
    let length = match bytes.first() {
        Some(0) => std::mem::offset_of!(libc::sockaddr_un, sun_path) + bytes.len(),
        _ => size_of::<libc::sockaddr_un>(),
    };
    Ok((addr, length as libc::socklen_t))
}

/// A listening `SOCK_SEQPACKET` socket of mode 0600 at `path`, which must be shorter than 108 bytes
/// (unix(7)): use `/proc/self/fd/N/name` for a longer one.
pub fn listen(path: &CStr) -> io::Result<OwnedFd> {
    // SAFETY: plain integers.
    let fd = owned(unsafe { libc::socket(libc::AF_UNIX, SEQPACKET, 0) }.into())?;
    let (addr, len) = address(path)?;
    // Before bind(2), which takes it over: nobody else can have connected.
    super::fs::fchmod(fd.as_fd(), 0o600)?;
    // SAFETY: addr is a sockaddr_un of that length.
    check(unsafe { libc::bind(fd.as_raw_fd(), (&raw const addr).cast(), len) }.into())?;
    // SAFETY: plain integers.
    check(unsafe { libc::listen(fd.as_raw_fd(), 8) }.into())?;
    Ok(fd)
}

/// Connects to a listening `SOCK_SEQPACKET` socket; ECONNREFUSED at once if nobody holds it.
pub fn connect(path: &CStr) -> io::Result<OwnedFd> {
    connect_as(path.to_bytes(), SEQPACKET, None)
}

/// Connects to a listening stream socket, as `--console-socket` names one. Neither this nor a later
/// [`send_all`] waits longer than `seconds` for somebody who does not accept, or read: EAGAIN.
pub fn connect_stream(path: &CStr, seconds: u32) -> io::Result<OwnedFd> {
    connect_as(path.to_bytes(), libc::SOCK_STREAM | libc::SOCK_CLOEXEC, Some(seconds))
}

/// Connects to a datagram socket by its path or abstract name; no [`send`] waits longer than `seconds`.
pub fn connect_datagram(name: &[u8], seconds: u32) -> io::Result<OwnedFd> {
    connect_as(name, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, Some(seconds))
}

/// A datagram socket at `path`.
pub fn bind_datagram(path: &[u8]) -> io::Result<OwnedFd> {
    // SAFETY: plain integers.
    let fd = owned(unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) }.into())?;
    let (addr, len) = address_of(path)?;
    // SAFETY: addr is a sockaddr_un of that length.
    check(unsafe { libc::bind(fd.as_raw_fd(), (&raw const addr).cast(), len) }.into())?;
    Ok(fd)
}

fn connect_as(name: &[u8], kind: i32, seconds: Option<u32>) -> io::Result<OwnedFd> {
    // SAFETY: plain integers.
    let fd = owned(unsafe { libc::socket(libc::AF_UNIX, kind, 0) }.into())?;
    let (addr, len) = address_of(name)?;
    if let Some(seconds) = seconds {
        let time = libc::timeval { tv_sec: seconds.into(), tv_usec: 0 };
        let (time, size) = ((&raw const time).cast(), size_of_val(&time) as libc::socklen_t);
        let (raw, level, option) = (fd.as_raw_fd(), libc::SOL_SOCKET, libc::SO_SNDTIMEO);
        // SAFETY: time is a timeval of that size.
        check(unsafe { libc::setsockopt(raw, level, option, time, size) }.into())?;
    }
    // SAFETY: addr is a sockaddr_un of that length.
    check(unsafe { libc::connect(fd.as_raw_fd(), (&raw const addr).cast(), len) }.into())?;
    Ok(fd)
}

/// accept4(2)
pub fn accept(listener: BorrowedFd) -> io::Result<OwnedFd> {
    loop {
        let (fd, null) = (listener.as_raw_fd(), std::ptr::null_mut());
        // SAFETY: the peer's address is not asked for.
        match owned(unsafe { libc::accept4(fd, null, null.cast(), libc::SOCK_CLOEXEC) }.into()) {
            Err(e) if e.raw_os_error() == Some(libc::EINTR) => {}
            accepted => return accepted,
        }
    }
}

/// Room for one fd in a control message, aligned for a `cmsghdr`.
#[repr(C, align(8))]
struct Control([u8; 24]);

/// Sends one message, with one fd if there is one; a peer that is gone is EPIPE, not SIGPIPE.
pub fn send(fd: BorrowedFd, data: &[u8], pass: Option<BorrowedFd>) -> io::Result<()> {
    send_some(fd, data, pass).map(drop)
}

/// As [`send`] on a stream, whatever number of calls it takes; the fd goes with the first.
pub fn send_all(fd: BorrowedFd, data: &[u8], pass: BorrowedFd) -> io::Result<()> {
    let mut sent = send_some(fd, data, Some(pass))?;
    while sent < data.len() {
        sent += send_some(fd, &data[sent..], None)?;
    }
    Ok(())
}

/// Sends bytes on a stream, whatever number of calls it takes.
pub fn send_bytes(fd: BorrowedFd, data: &[u8]) -> io::Result<()> {
    let mut sent = 0;
    while sent < data.len() {
        sent += send_some(fd, &data[sent..], None)?;
    }
    Ok(())
}

fn send_some(fd: BorrowedFd, data: &[u8], pass: Option<BorrowedFd>) -> io::Result<usize> {
    let mut iov = libc::iovec { iov_base: data.as_ptr().cast_mut().cast(), iov_len: data.len() };
    let mut control = Control([0; 24]);
    // SAFETY: an all-zero msghdr is a valid one.
    let mut msg: libc::msghdr = unsafe { zeroed() };
    msg.msg_iov = &mut iov;
    msg.msg_iovlen = 1;
    if let Some(pass) = pass {
        msg.msg_control = control.0.as_mut_ptr().cast();
        // SAFETY: the control buffer has CMSG_SPACE(4) = 24 bytes, so the first header fits.
        unsafe {
            msg.msg_controllen = libc::CMSG_SPACE(4) as usize;
            let cmsg = libc::CMSG_FIRSTHDR(&msg);
            (*cmsg).cmsg_level = libc::SOL_SOCKET;
            (*cmsg).cmsg_type = libc::SCM_RIGHTS;
            (*cmsg).cmsg_len = libc::CMSG_LEN(4) as usize;
            libc::CMSG_DATA(cmsg).cast::<i32>().write_unaligned(pass.as_raw_fd());
        }
    }
    // SAFETY: msg points to live buffers only.
    check(unsafe { libc::sendmsg(fd.as_raw_fd(), &msg, libc::MSG_NOSIGNAL) } as libc::c_long)
        .map(|sent| sent as usize)
}

/// Receives one message into `data` and at most one fd. 0 bytes: the other end was closed.
pub fn receive(fd: BorrowedFd, data: &mut [u8]) -> io::Result<(usize, Option<OwnedFd>)> {
    let mut iov = libc::iovec { iov_base: data.as_mut_ptr().cast(), iov_len: data.len() };
    let mut control = MaybeUninit::<Control>::zeroed();
    // SAFETY: an all-zero msghdr is a valid one.
    let mut msg: libc::msghdr = unsafe { zeroed() };
    msg.msg_iov = &mut iov;
    msg.msg_iovlen = 1;
    msg.msg_control = control.as_mut_ptr().cast();
    msg.msg_controllen = size_of::<Control>();
    let n = loop {
        // SAFETY: msg points to live buffers only.
        match check(unsafe { libc::recvmsg(fd.as_raw_fd(), &mut msg, libc::MSG_CMSG_CLOEXEC) } as libc::c_long)
        {
            Err(e) if e.raw_os_error() == Some(libc::EINTR) => {}
            // The peer closed with something of ours unread. Told once, ahead of what it sent before.
            Err(e) if e.raw_os_error() == Some(libc::ECONNRESET) => {}
            received => break received? as usize,
        }
    };
    // SAFETY: the kernel has set msg_controllen to what it wrote.
    let passed = unsafe {
        let cmsg = libc::CMSG_FIRSTHDR(&msg);
        if !cmsg.is_null() && (*cmsg).cmsg_level == libc::SOL_SOCKET && (*cmsg).cmsg_type == libc::SCM_RIGHTS
        {
            let raw = libc::CMSG_DATA(cmsg).cast::<i32>().read_unaligned();
            Some(OwnedFd::from_raw_fd(raw))
        } else {
            None
        }
    };
    Ok((n, passed))
}
