//! A program that gets an fd over a Unix socket: a terminal, or a pidfd.

use std::io::{IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

use super::PATIENCE;

/// A listening socket.
pub struct Receiver(UnixListener);

/// What came over one connection, and the connection.
pub struct Received {
    pub text: String,
    pub fds: Vec<OwnedFd>,
    connection: UnixStream,
}

fn is_readable(fd: impl AsFd) -> bool {
    let mut fds = [PollFd::new(&fd, PollFlags::IN)];
    let time = Timespec { tv_sec: PATIENCE.as_secs() as i64, tv_nsec: 0 };
    poll(&mut fds, Some(&time)).is_ok_and(|n| n == 1)
}

impl Receiver {
    /// Listens at `path`, however long that is.
    pub fn listen(path: &Path) -> Receiver {
        let dir = std::fs::File::open(path.parent().expect("a directory")).expect("open the directory");
        let name = path.file_name().expect("a name").to_str().expect("UTF-8");
        let short = format!("/proc/self/fd/{}/{name}", dir.as_raw_fd());
        Receiver(UnixListener::bind(short).expect("bind the socket"))
    }

    /// The next connection, and the first message on it.
    #[track_caller]
    pub fn next(&self) -> Received {
        assert!(is_readable(&self.0), "nobody connected");
        let connection = self.0.accept().expect("accept").0;
        assert!(is_readable(&connection), "no message came");
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(8))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut buffer = [0; 256];
        let mut parts = [IoSliceMut::new(&mut buffer)];
        let got = recvmsg(&connection, &mut parts, &mut control, RecvFlags::CMSG_CLOEXEC).expect("recvmsg");
        let mut fds = Vec::new();
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(passed) = message {
                fds.extend(passed);
            }
        }
        let text = String::from_utf8_lossy(&buffer[..got.bytes]).into_owned();
        Received { text, fds, connection }
    }
}

impl Received {
    /// The process behind the only fd, which is a pidfd.
    #[track_caller]
    pub fn pid(&self) -> i32 {
        assert_eq!(self.fds.len(), 1, "one fd");
        let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", self.fds[0].as_raw_fd()));
        let info = info.expect("fdinfo");
        let pid = info.lines().find_map(|line| line.strip_prefix("Pid:")).expect("it is a pidfd");
        pid.trim().parse().expect("a pid")
    }

    /// Answers on the connection.
    #[track_caller]
    pub fn answer(&mut self, text: &str) {
        self.connection.write_all(text.as_bytes()).expect("answer");
    }

    /// Whether the other side has something to say, or has closed the connection.
    pub fn is_silent(&self) -> bool {
        let mut fds = [PollFd::new(&self.connection, PollFlags::IN)];
        poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).expect("poll") == 0
    }

    /// Waits until the other side has closed the connection.
    #[track_caller]
    pub fn wait_for_end(&mut self) {
        assert!(is_readable(&self.connection), "the connection stays open");
        assert_eq!(self.connection.read(&mut [0; 1]).unwrap_or(0), 0, "it says something");
    }
}
