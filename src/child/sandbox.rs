//! Into the container: a new one, or one that is there.

use super::{At, Done, Fds, rootfs, terminal, time};
use crate::plan::namespaces::Kind;
use crate::plan::process::Process;
use crate::plan::{Container, Sysctl, Target};
use crate::sys;
use crate::sys::process::Cloned;
use crate::wire::{self, Step, ToChild};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

/// Makes the container from inside.
pub(super) fn new(container: &Container, process: Option<&Process>, fds: &Fds) -> Done {
    let namespaces = &container.namespaces;
    if namespaces.maps.is_some() && !namespaces.hop {
        // Before the maps are written no id is ours, and no file can be made.
        wire::expect(fds.host.as_fd(), ToChild::Mapped).at(Step::NewNamespaces, 0)?;
    }
    let offsets = time::open(namespaces, fds.proc)?;
    // From here on processes of a joined namespace may see this one: not dumpable, it cannot be
    // traced, nor its fds opened through /proc (CVE-2016-9962). Not before the maps: an ordinary user
    // writes them through /proc, which belongs to root when not dumpable.
    sys::process::set_dumpable(false).at(Step::SetDumpable, 0)?;
    for (i, fd) in fds.joins.iter().enumerate() {
        let kind = namespaces.child_joins[i].kind;
        sys::ns::setns(fd.as_fd(), kind.flag()).at(Step::JoinNamespace, i)?;
        if kind == Kind::User {
            // Joining it undoes this by /proc/sys/fs/suid_dumpable.
            sys::process::set_dumpable(false).at(Step::SetDumpable, 0)?;
        }
    }
    // Before another process takes over: it will be born in it.
    if namespaces.new_time {
        time::enter(namespaces, fds.proc, offsets)?;
    }
    if namespaces.hop {
        hop(namespaces.hop_clone, fds)?;
        if namespaces.maps.is_some() {
            wire::expect(fds.host.as_fd(), ToChild::Mapped).at(Step::NewNamespaces, 0)?;
        }
    }
    if namespaces.become_root {
        become_root()?;
    }
    if namespaces.unshare != 0 {
        sys::ns::unshare(namespaces.unshare).at(Step::NewNamespaces, 0)?;
    }
    // After the cgroup was entered: the namespace's root is the cgroup that the caller is in.
    if namespaces.new_cgroup {
        sys::ns::unshare(Kind::Cgroup.flag()).at(Step::NewCgroupNamespace, 0)?;
    }
    if namespaces.is_new(Kind::Network) {
        sys::netdev::loopback_up().at(Step::Loopback, 0)?;
    }
    if !container.net_devices.is_empty() {
        // Only now is there a namespace, and before anything that may ask for the devices.
        let own = sys::fs::openat(fds.proc, c"self/ns/net", libc::O_RDONLY, 0).at(Step::NetDevices, 0)?;
        wire::send_network(fds.host.as_fd(), own.as_fd()).at(Step::NetDevices, 0)?;
        wire::expect(fds.host.as_fd(), ToChild::DevicesMoved).at(Step::NetDevices, 0)?;
    }
    if let Some(name) = &container.hostname {
        sys::ns::sethostname(name).at(Step::Hostname, 0)?;
    }
    if let Some(name) = &container.domainname {
        sys::ns::setdomainname(name).at(Step::Domainname, 0)?;
    }
    // Through the host's own /proc, which shows the namespaces of whoever opens its files.
    for (i, sysctl) in container.sysctls.iter().enumerate() {
        write_sysctl(fds, sysctl).at(Step::Sysctl, i)?;
    }
    rootfs::build(container, process, fds)
}

/// Takes uid and gid 0 of the user namespace.
fn become_root() -> Done {
    sys::process::setgid(0).at(Step::BecomeRoot, 0)?;
    sys::process::setuid(0).at(Step::BecomeRoot, 1)?;
    // A change of ids undoes it by /proc/sys/fs/suid_dumpable.
    sys::process::set_dumpable(false).at(Step::SetDumpable, 0)
}

fn write_sysctl(fds: &Fds, sysctl: &Sysctl) -> io::Result<()> {
    let file = sys::fs::open_sysctl(fds.proc, &sysctl.path)?;
    sys::fs::write_once(file.as_fd(), sysctl.value.as_bytes())
}

/// Clones once more, as a sibling, into what only children enter, and goes away.
fn hop(new: u64, fds: &Fds) -> Done {
    let (told, tell) = sys::fs::pipe().at(Step::Hop, 0)?;
    match sys::process::clone3(libc::CLONE_PARENT as u64 | new, None).at(Step::Hop, 0)? {
        Cloned::Child => {
            // The host takes what comes next as the word of the one that it knows of.
            drop(tell);
            wait_for_a_byte(told.as_fd()).at(Step::Hop, 0)?;
            // The session of the one that goes away is not its own: it could not have a terminal.
            sys::process::setsid().at(Step::NewSession, 0)
        }
        Cloned::Parent { pid, pidfd } => {
            wire::send_hopped(fds.host.as_fd(), pidfd.as_fd(), pid).at(Step::Hop, 0)?;
            sys::fs::write(tell.as_fd(), &[0]).at(Step::Hop, 0)?;
            sys::process::exit_now(0);
        }
    }
}

/// Fails if the other end is closed without one.
fn wait_for_a_byte(fd: BorrowedFd) -> io::Result<()> {
    match sys::fs::read(fd, &mut [0])? {
        0 => Err(io::Error::from_raw_os_error(libc::EPIPE)),
        _ => Ok(()),
    }
}

/// Joins a container that is there. Its pid namespace was entered by the host for the clone, except
/// where the user namespace must come first, or the host could not come back.
pub(super) fn join(target: &Target, process: Option<&Process>, fds: &Fds) -> Done {
    let Some(join) = &fds.target else { return Ok(()) };
    sys::process::set_dumpable(false).at(Step::SetDumpable, 0)?;
    if target.namespaces != 0 {
        sys::pidfd::setns(join.pidfd, target.namespaces).at(Step::JoinNamespace, 0)?;
        // Joining a user namespace undoes it by /proc/sys/fs/suid_dumpable.
        sys::process::set_dumpable(false).at(Step::SetDumpable, 0)?;
    }
    if target.hop {
        sys::pidfd::setns(join.pidfd, Kind::Pid.flag()).at(Step::JoinNamespace, 0)?;
        hop(0, fds)?;
    }
    if target.user_namespace {
        become_root()?;
    }
    if let Some(root) = join.root {
        sys::fs::fchdir(root).at(Step::PivotRoot, 0)?;
        sys::fs::chroot(c".").at(Step::PivotRoot, 0)?;
    }
    if let Some(wanted) = process.and_then(|p| p.terminal) {
        let root = sys::fs::openat(sys::fs::CWD, c"/", libc::O_PATH | libc::O_DIRECTORY, 0);
        terminal::attach(root.at(Step::Terminal, 0)?.as_fd(), wanted, None, fds.host.as_fd())?;
    }
    Ok(())
}
