//! A seccomp agent: it gets notification fds over a Unix socket and answers the calls.

use std::io::{IoSliceMut, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

use libseccomp::{ScmpNotifReq, ScmpNotifResp, ScmpNotifRespFlags, notify_id_valid};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use serde_json::Value;

use super::eventually;

/// What the agent says to a call.
#[derive(Debug, Clone, Copy)]
pub enum Answer {
    /// It fails with this errno.
    Errno(i32),
    /// It gives this value, without being made.
    Gives(i64),
    /// It is made.
    Continue,
    /// Nothing yet; see [`Agent::pending`].
    Later,
}

/// What arrived on one connection.
#[derive(Debug, Clone)]
pub struct Message {
    /// The payload.
    pub state: Value,
    /// How many fds came with it.
    pub fds: usize,
    /// The process that its first fd names, if it is a pidfd.
    pub pidfd_of: Option<i32>,
}

/// A call that waits for its answer.
#[derive(Debug, Clone)]
pub struct Pending {
    id: u64,
    fd: Arc<OwnedFd>,
    /// The process that makes it, as this process sees it.
    pub pid: i32,
}

impl Pending {
    /// Whether the process is still waiting for this answer.
    pub fn is_valid(&self) -> bool {
        notify_id_valid(self.fd.as_raw_fd(), self.id).is_ok()
    }

    /// Lets the call be made.
    #[track_caller]
    pub fn proceed(&self) {
        respond(&self.fd, self.id, Answer::Continue).expect("answer the call");
    }
}

/// The agent. It serves until nothing is under its filters any more.
#[derive(Clone)]
pub struct Agent {
    messages: Arc<Mutex<Vec<Message>>>,
    calls: Arc<Mutex<Vec<String>>>,
    pending: Arc<Mutex<Vec<Pending>>>,
    ended: Arc<Mutex<usize>>,
    answer: Answer,
}

impl Agent {
    /// Listens at `path` and gives every call the same answer.
    pub fn listen(path: &Path, answer: Answer) -> Agent {
        let socket = UnixListener::bind(path).expect("bind the agent's socket");
        let agent = Agent {
            messages: Arc::default(),
            calls: Arc::default(),
            pending: Arc::default(),
            ended: Arc::default(),
            answer,
        };
        let serving = agent.clone();
        thread::spawn(move || {
            for connection in socket.incoming() {
                let (agent, connection) = (serving.clone(), connection.expect("accept"));
                thread::spawn(move || agent.converse(connection));
            }
        });
        agent
    }

    /// One message a connection, as the specification has it. Like other agents this one does not wait
    /// for its end, but notes it.
    fn converse(&self, mut connection: UnixStream) {
        let (state, mut fds) = receive(&mut connection);
        let pidfd_of = fds.first().and_then(|fd| process_of(fd.as_fd()));
        let count = fds.len();
        if count == 1 && pidfd_of.is_none() {
            let (agent, fd) = (self.clone(), Arc::new(fds.remove(0)));
            thread::spawn(move || agent.serve(&fd));
        }
        self.messages.lock().expect("lock").push(Message { state, fds: count, pidfd_of });
        let rest = connection.read(&mut [0; 1]);
        if rest.is_ok_and(|bytes| bytes == 0) {
            *self.ended.lock().expect("lock") += 1;
        }
    }

    fn serve(&self, fd: &Arc<OwnedFd>) {
        while wait_for_call(fd.as_fd()) {
            // A process that was killed, or interrupted, takes its call back.
            let Ok(request) = ScmpNotifReq::receive(fd.as_raw_fd()) else { continue };
            let name =
                request.data.syscall.get_name().unwrap_or_else(|_| format!("{:?}", request.data.syscall));
            self.calls.lock().expect("lock").push(name);
            if let Answer::Later = self.answer {
                let pending = Pending { id: request.id, fd: Arc::clone(fd), pid: request.pid as i32 };
                self.pending.lock().expect("lock").push(pending);
            } else {
                let _ = respond(fd, request.id, self.answer);
            }
        }
    }

    /// What has arrived up to now.
    pub fn messages(&self) -> Vec<Message> {
        self.messages.lock().expect("lock").clone()
    }

    /// The message number `n`, which may still be on its way.
    #[track_caller]
    pub fn message(&self, n: usize) -> Message {
        eventually("a message at the agent", || self.messages().len() > n);
        self.messages()[n].clone()
    }

    /// How many connections the other side has closed.
    pub fn ended(&self) -> usize {
        *self.ended.lock().expect("lock")
    }

    /// The names of the calls that it was asked about.
    pub fn calls(&self) -> Vec<String> {
        self.calls.lock().expect("lock").clone()
    }

    /// The call number `n` that waits for its answer.
    #[track_caller]
    pub fn pending(&self, n: usize) -> Pending {
        eventually("a call at the agent", || self.pending.lock().expect("lock").len() > n);
        self.pending.lock().expect("lock")[n].clone()
    }
}

fn respond(fd: &OwnedFd, id: u64, answer: Answer) -> Result<(), libseccomp::error::SeccompError> {
    let none = ScmpNotifRespFlags::empty();
    let response = match answer {
        Answer::Errno(errno) => ScmpNotifResp::new_error(id, -errno, none),
        Answer::Gives(value) => ScmpNotifResp::new_val(id, value, none),
        Answer::Continue => ScmpNotifResp::new_continue(id, none),
        Answer::Later => return Ok(()),
    };
    response.respond(fd.as_raw_fd())
}

/// Whether there is a call; false when no process is left that could make one.
fn wait_for_call(fd: BorrowedFd) -> bool {
    let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::IN)];
    poll(&mut fds, None).expect("poll");
    fds[0].revents().contains(PollFlags::IN)
}

/// One message: JSON, or whatever comes with a pidfd, and the fds that came with its first part.
fn receive(connection: &mut UnixStream) -> (Value, Vec<OwnedFd>) {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(8))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut buffer = [0; 4096];
    let first =
        recvmsg(&*connection, &mut [IoSliceMut::new(&mut buffer)], &mut control, RecvFlags::CMSG_CLOEXEC);
    let mut bytes = buffer[..first.expect("recvmsg").bytes].to_vec();
    let mut fds = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(passed) = message {
            fds.extend(passed);
        }
    }
    loop {
        // A long one comes in many parts; to try each would take a slow machine a minute.
        let may_be_whole = !bytes.starts_with(b"{") || bytes.trim_ascii_end().ends_with(b"}");
        let parsed = may_be_whole.then(|| serde_json::from_slice(&bytes));
        match parsed {
            None => {}
            Some(Ok(state)) => return (state, fds),
            Some(Err(e)) if e.is_eof() => {}
            Some(Err(_)) => return (Value::Null, fds),
        }
        match connection.read(&mut buffer) {
            Ok(n @ 1..) => bytes.extend_from_slice(&buffer[..n]),
            _ => return (Value::Null, fds),
        }
    }
}

/// The process behind a pidfd.
fn process_of(fd: BorrowedFd) -> Option<i32> {
    let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", fd.as_raw_fd())).ok()?;
    info.lines().find_map(|line| line.strip_prefix("Pid:"))?.trim().parse().ok()
}
