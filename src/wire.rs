//! The contract between the two processes: what they say to each other over one `SOCK_SEQPACKET`
//! socket, in records of fixed size, so that the child never allocates or formats.

use crate::sys;
use crate::sys::process::Ended;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

/// Makes the enum and the list of all its members from one list of names.
macro_rules! steps {
    ($($name:ident)*) => {
        /// What the child was doing when it failed. [`crate::plan::describe`] has the words.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u8)]
        #[allow(missing_docs)]
        pub enum Step {
            $($name),*
        }

        impl Step {
            /// Every step, in the order of their numbers.
            pub const ALL: &'static [Step] = &[$(Step::$name),*];
        }
    };
}

steps! {
    EnterCgroup
    NewSession
    SetDumpable
    JoinNamespace
    Hop
    BecomeRoot
    NewNamespaces
    NewCgroupNamespace
    NewTimeNamespace
    TimeOffset
    Loopback
    NetDevices
    RootPropagation
    RootOpen
    RootAttach
    MountTarget
    MountOpen
    MountParameter
    MountCreate
    MountAttributes
    MountAttach
    MountClassic
    MountIdmap
    MountLink
    RemountOpen
    CopyUp
    CgroupMount
    DeviceDirectory
    DeviceNode
    DeviceLink
    Terminal
    TerminalConsole
    MaskPath
    ReadonlyPath
    WorkingDirectoryCreate
    Hook
    HookExecute
    PivotRoot
    DetachOldRoot
    ReadonlyRoot
    Hostname
    Domainname
    Sysctl
    OomScore
    Keyring
    Rlimit
    WorkingDirectory
    BoundingSet
    Groups
    Ids
    Capabilities
    AmbientSet
    Scheduler
    IoPriority
    Cpus
    MemoryPolicy
    Personality
    Apparmor
    Selinux
    KeyLabel
    MountLabel
    NoNewPrivileges
    FindProgram
    Gate
    CloseFds
    Seccomp
    SeccompListener
    Execute
}

/// Bytes of the kernel's own message that fit into a failure record.
pub const NOTE: usize = 108;
const SIZE: usize = 16 + NOTE;

/// A step of the child that did not work.
#[derive(Debug, Clone, Copy)]
pub struct Failure {
    /// What it was doing.
    pub step: Step,
    /// With which entry of the plan's list for that step.
    pub index: u32,
    /// With which part of that entry.
    pub part: u32,
    /// The kernel's answer.
    pub errno: i32,
    /// The message that the kernel left in a filesystem context (fsopen(2)), or nothing.
    pub note: [u8; NOTE],
}

impl Failure {
    /// Entry `index` of `step` failed with `error`.
    pub fn new(step: Step, index: usize, error: &io::Error) -> Self {
        Failure {
            step,
            index: number(index),
            part: 0,
            errno: error.raw_os_error().unwrap_or(libc::EIO),
            note: [0; NOTE],
        }
    }

    /// The kernel's message, if it left one.
    pub fn note(&self) -> Option<String> {
        let end = self.note.iter().position(|b| *b == 0).unwrap_or(NOTE);
        let text = String::from_utf8_lossy(&self.note[..end]);
        // "e tmpfs: Bad value for 'size'": the letter is the log level.
        let text = text.trim();
        let text = text.strip_prefix("e ").or_else(|| text.strip_prefix("w ")).unwrap_or(text);
        (!text.is_empty()).then(|| text.to_owned())
    }
}

/// What the child tells the host.
#[derive(Debug)]
pub enum FromChild {
    /// It could not go on, and ends.
    Failure(Failure),
    /// It is inside the container and waits at the gate; to a starter: it has come through.
    Ready,
    /// The pty master, as an fd (process.terminal).
    Terminal(OwnedFd),
    /// The pidfd and pid of the process that goes on in its place (a second clone was needed).
    Hopped(OwnedFd, i32),
    /// All is mounted, and it waits for the hooks of the runtime namespace.
    Mounted,
    /// A hook that it ran has ended so.
    HookEnded(Ended),
    /// A detached mount of its own, by mount, whose ids only the host may map.
    Tree(OwnedFd, usize),
    /// The fd by which the calls that its filter notifies of are answered (seccomp_unotify(2)).
    Listener(OwnedFd),
    /// Its network namespace, for the devices that belong there.
    Network(OwnedFd),
    /// It ended, or executed the program, without a further word.
    Closed,
}

const TAG_FAILURE: u8 = 1;
const TAG_READY: u8 = 2;
const TAG_TERMINAL: u8 = 3;
const TAG_HOPPED: u8 = 4;
const TAG_MOUNTED: u8 = 5;
const TAG_HOOK_EXITED: u8 = 6;
const TAG_HOOK_KILLED: u8 = 7;
const TAG_LISTENER: u8 = 8;
const TAG_NETWORK: u8 = 9;
const TAG_TREE: u8 = 10;

/// The number of the root filesystem among the mounts.
pub const ROOT_TREE: usize = u32::MAX as usize;

/// A place in a list, as records have it: no configuration is long enough for more.
pub fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

fn send_record(fd: BorrowedFd, record: &[u8; SIZE], pass: Option<BorrowedFd>) -> io::Result<()> {
    sys::socket::send(fd, record, pass)
}

/// Sends a failure; the child has nobody to tell if this fails.
pub fn send_failure(fd: BorrowedFd, failure: &Failure) {
    let mut record = [0u8; SIZE];
    record[0] = TAG_FAILURE;
    record[1] = failure.step as u8;
    record[4..8].copy_from_slice(&failure.index.to_ne_bytes());
    record[8..12].copy_from_slice(&failure.errno.to_ne_bytes());
    record[12..16].copy_from_slice(&failure.part.to_ne_bytes());
    record[16..].copy_from_slice(&failure.note);
    let _ = send_record(fd, &record, None);
}

/// Says that the child waits at the gate.
pub fn send_ready(fd: BorrowedFd) -> io::Result<()> {
    let mut record = [0u8; SIZE];
    record[0] = TAG_READY;
    send_record(fd, &record, None)
}

/// Says that the hooks of the runtime namespace may run.
pub fn send_mounted(fd: BorrowedFd) -> io::Result<()> {
    let mut record = [0u8; SIZE];
    record[0] = TAG_MOUNTED;
    send_record(fd, &record, None)
}

/// Says how a hook ended.
pub fn send_hook_ended(fd: BorrowedFd, ended: Ended) -> io::Result<()> {
    let (tag, number) = match ended {
        Ended::Exited(status) => (TAG_HOOK_EXITED, status.into()),
        Ended::Killed(signal) => (TAG_HOOK_KILLED, signal),
    };
    let mut record = [0u8; SIZE];
    record[0] = tag;
    record[8..12].copy_from_slice(&number.to_ne_bytes());
    send_record(fd, &record, None)
}

/// Hands the pty master to the host.
pub fn send_terminal(fd: BorrowedFd, master: BorrowedFd) -> io::Result<()> {
    let mut record = [0u8; SIZE];
    record[0] = TAG_TERMINAL;
    send_record(fd, &record, Some(master))
}

/// Hands over to the process behind `pidfd`.
pub fn send_hopped(fd: BorrowedFd, pidfd: BorrowedFd, pid: i32) -> io::Result<()> {
    let mut record = [0u8; SIZE];
    record[0] = TAG_HOPPED;
    record[8..12].copy_from_slice(&pid.to_ne_bytes());
    send_record(fd, &record, Some(pidfd))
}

/// Asks the host to map the ids of the mount `index`, and waits until it has.
pub fn have_ids_mapped(fd: BorrowedFd, tree: BorrowedFd, index: usize) -> io::Result<()> {
    let mut record = [0u8; SIZE];
    record[0] = TAG_TREE;
    record[4..8].copy_from_slice(&number(index).to_ne_bytes());
    send_record(fd, &record, Some(tree))?;
    expect(fd, ToChild::IdsMapped)
}

/// Hands the notification fd of the filter to the host.
pub fn send_listener(fd: BorrowedFd, listener: BorrowedFd) -> io::Result<()> {
    let mut record = [0u8; SIZE];
    record[0] = TAG_LISTENER;
    send_record(fd, &record, Some(listener))
}

/// Hands the network namespace to the host.
pub fn send_network(fd: BorrowedFd, namespace: BorrowedFd) -> io::Result<()> {
    let mut record = [0u8; SIZE];
    record[0] = TAG_NETWORK;
    send_record(fd, &record, Some(namespace))
}

/// Waits for the child's next record.
pub fn receive(fd: BorrowedFd) -> io::Result<FromChild> {
    let mut record = [0u8; SIZE];
    let (n, passed) = sys::socket::receive(fd, &mut record)?;
    match n {
        0 => return Ok(FromChild::Closed),
        SIZE => {}
        _ => return Err(malformed()),
    }
    let index = u32::from_ne_bytes([record[4], record[5], record[6], record[7]]);
    let number = i32::from_ne_bytes([record[8], record[9], record[10], record[11]]);
    match (record[0], passed) {
        (TAG_FAILURE, _) => {
            let step = Step::ALL.get(usize::from(record[1])).copied();
            let mut note = [0; NOTE];
            note.copy_from_slice(&record[16..]);
            Ok(FromChild::Failure(Failure {
                step: step.ok_or_else(malformed)?,
                index,
                part: u32::from_ne_bytes([record[12], record[13], record[14], record[15]]),
                errno: number,
                note,
            }))
        }
        (TAG_READY, _) => Ok(FromChild::Ready),
        (TAG_TERMINAL, Some(master)) => Ok(FromChild::Terminal(master)),
        (TAG_HOPPED, Some(pidfd)) => Ok(FromChild::Hopped(pidfd, number)),
        (TAG_MOUNTED, _) => Ok(FromChild::Mounted),
        (TAG_HOOK_EXITED, _) => Ok(FromChild::HookEnded(Ended::Exited(number as u8))),
        (TAG_HOOK_KILLED, _) => Ok(FromChild::HookEnded(Ended::Killed(number))),
        (TAG_TREE, Some(tree)) => Ok(FromChild::Tree(tree, index as usize)),
        (TAG_LISTENER, Some(listener)) => Ok(FromChild::Listener(listener)),
        (TAG_NETWORK, Some(namespace)) => Ok(FromChild::Network(namespace)),
        _ => Err(malformed()),
    }
}

fn malformed() -> io::Error {
    io::Error::from_raw_os_error(libc::EBADMSG)
}

/// What the host tells the child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ToChild {
    /// Somebody is asked to put it into its cgroup.
    Asked = b'a',
    /// It is in its cgroup.
    Entered = b'e',
    /// The id maps of the new user namespace are written.
    Mapped = b'm',
    /// The network devices are in its network namespace.
    DevicesMoved = b'd',
    /// The ids of the mount that it has sent are mapped.
    IdsMapped = b'i',
    /// The hooks of the runtime namespace have run.
    HooksDone = b'h',
    /// Run the next hook of the container's namespaces, with the fd that comes along as the next of its
    /// standard streams.
    Stream = b's',
    /// The hook that runs took too long.
    KillHook = b'k',
    /// The container is on record; wait at the gate for `start`.
    Recorded = b'r',
    /// The gate is open.
    Go = b'g',
    /// The seccomp agent has the notification fd.
    Listening = b'l',
}

/// Tells the child.
pub fn tell(fd: BorrowedFd, word: ToChild) -> io::Result<()> {
    sys::socket::send(fd, &[word as u8], None)
}

/// Hands the child one of the standard streams of the next hook.
pub fn send_stream(fd: BorrowedFd, stream: BorrowedFd) -> io::Result<()> {
    sys::socket::send(fd, &[ToChild::Stream as u8], Some(stream))
}

/// The child waits for a stream of the next hook.
pub fn expect_stream(fd: BorrowedFd) -> io::Result<OwnedFd> {
    let mut byte = [0u8; 1];
    match sys::socket::receive(fd, &mut byte)? {
        (1, Some(stream)) if byte[0] == ToChild::Stream as u8 => Ok(stream),
        (0, _) => Err(io::Error::from_raw_os_error(libc::EPIPE)),
        _ => Err(malformed()),
    }
}

/// The child waits for this word; EPIPE if the host is gone, so that no half-made container stays.
pub fn expect(fd: BorrowedFd, word: ToChild) -> io::Result<()> {
    let mut byte = [0u8; 1];
    match sys::socket::receive(fd, &mut byte)? {
        (1, _) if byte[0] == word as u8 => Ok(()),
        (0, _) => Err(io::Error::from_raw_os_error(libc::EPIPE)),
        _ => Err(malformed()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn every_step_is_at_its_own_number() {
        for (number, step) in Step::ALL.iter().enumerate() {
            assert_eq!(*step as usize, number);
        }
    }

    #[test]
    fn a_failure_arrives_as_it_was_sent() {
        let (a, b) = sys::socket::pair().unwrap();
        let error = io::Error::from_raw_os_error(libc::EINVAL);
        let mut failure = Failure::new(Step::MountParameter, 99_978, &error);
        failure.part = 70_000;
        failure.note[..9].copy_from_slice(b"e tmpfs: ");
        send_failure(a.as_fd(), &failure);
        let FromChild::Failure(got) = receive(b.as_fd()).unwrap() else { panic!("no failure") };
        assert_eq!(
            (got.step, got.index, got.part, got.errno),
            (Step::MountParameter, 99_978, 70_000, libc::EINVAL)
        );
        assert_eq!(got.note().as_deref(), Some("tmpfs:"));
    }

    #[test]
    fn a_failure_arrives_though_the_child_left_a_word_unread() {
        let (a, b) = sys::socket::pair().unwrap();
        tell(b.as_fd(), ToChild::Go).unwrap();
        let error = io::Error::from_raw_os_error(libc::ENOENT);
        send_failure(a.as_fd(), &Failure::new(Step::MountOpen, 1, &error));
        drop(a);
        assert!(matches!(receive(b.as_fd()).unwrap(), FromChild::Failure(_)));
        assert!(matches!(receive(b.as_fd()).unwrap(), FromChild::Closed));
    }

    #[test]
    fn a_part_of_a_record_is_none() {
        let (a, b) = sys::socket::pair().unwrap();
        sys::socket::send(a.as_fd(), &[TAG_READY], None).unwrap();
        assert_eq!(receive(b.as_fd()).unwrap_err().raw_os_error(), Some(libc::EBADMSG));
    }

    #[test]
    fn a_closed_end_is_told_from_a_message() {
        let (a, b) = sys::socket::pair().unwrap();
        send_ready(a.as_fd()).unwrap();
        drop(a);
        assert!(matches!(receive(b.as_fd()).unwrap(), FromChild::Ready));
        assert!(matches!(receive(b.as_fd()).unwrap(), FromChild::Closed));
        assert_eq!(expect(b.as_fd(), ToChild::Go).unwrap_err().raw_os_error(), Some(libc::EPIPE));
    }
}
