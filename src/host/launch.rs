//! The host's script of a launch: open what the child needs, clone, write maps, wait for the barriers.

use super::agent::Agent;
use crate::child::{self, Fds, Gate, JoinFds};
use crate::error::{Context, Error, Result};
use crate::host::cgroup::{self, Cgroup};
use crate::host::trees::Trees;
use crate::host::{hooks, idmap, netdev, scheduling};
use crate::log;
use crate::plan::hooks::Hook;
use crate::plan::namespaces::{Join, Kind, NamespacePlan};
use crate::plan::{Container, Plan, Sandbox, describe};
use crate::state::{self, State};
use crate::sys;
use crate::sys::fs::CWD;
use crate::sys::process::{Cloned, Ended};
use crate::wire::{self, FromChild, ToChild};
use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;

/// Name of the barrier that the child has reached when its network devices are there.
const MOVED: &str = "network devices moved";

/// Name of the barrier that the child has reached when all is mounted.
const MOUNTED: &str = "mounted";

/// Name of the barrier that the child has reached when it is inside the container.
const READY: &str = "ready";

/// What a launch needs beside the plan.
#[derive(Debug)]
pub struct Ground<'a> {
    /// The container's cgroups.
    pub cgroup: &'a Cgroup,
    /// Where the program waits.
    pub gate: Gate<'a>,
    /// For `exec`: the container.
    pub target: Option<JoinFds<'a>>,
    /// For `exec`: the pid of the container's init.
    pub init: Option<i32>,
    /// The child is put into its cgroup by somebody else, and waits for that.
    pub outside: bool,
}

/// A child on its way.
#[derive(Debug)]
pub struct Launched {
    /// In the caller's pid namespace.
    pub pid: i32,
    /// Its handle.
    pub pidfd: OwnedFd,
    /// The pty master (process.terminal), once the child has sent it.
    pub terminal: Option<OwnedFd>,
    /// Who gets the notification fd of the filter; told before the gate is opened.
    pub agent: Option<Agent>,
    /// It waits until it is told that it is in its cgroup.
    pub outside: bool,
    /// They come back unless the container is kept.
    devices: Option<netdev::Moved>,
    socket: OwnedFd,
    /// The host's.
    proc: OwnedFd,
    trees: Trees,
    last_barrier: &'static str,
}

/// Clones the child, which goes on by itself until it needs [`Launched::assist`]. On an error nothing is left running.
///
/// # Errors
/// A namespace that is not what the configuration says, a bind source that is missing, maps that
/// the kernel refuses.
pub fn launch(plan: &Plan, ground: Ground) -> Result<Launched> {
    let proc = open_proc()?;
    let (socket, child_end) = sys::socket::pair().context(|| "socketpair")?;
    let into = ground.cgroup.into.as_ref().map(AsFd::as_fd);
    let empty = NamespacePlan::default();
    let (container, namespaces) = match &plan.sandbox {
        Sandbox::New(container) => (Some(container.as_ref()), &container.namespaces),
        Sandbox::Join(_) => (None, &empty),
    };
    if let Some(container) = container {
        check_root(container)?;
        check_sysctls(container)?;
    }
    let joins = open_joins(&namespaces.child_joins)?;
    let trees = Trees::open(container, proc.as_fd())?;
    let mut borrowed = Borrowed::default();
    for join in &namespaces.host_joins {
        borrowed.enter(join.kind, open_namespace(join)?.as_fd(), proc.as_fd())?;
    }
    if let (Sandbox::Join(target), Some(join)) = (&plan.sandbox, &ground.target)
        && target.pid_namespace
        && !target.hop
    {
        borrowed.enter(Kind::Pid, join.pidfd, proc.as_fd())?;
    }
    if let Some(process) = &plan.process {
        scheduling::before_clone(process)?;
    }
    let mut procs = None;
    let mut outside = ground.outside;
    let cloned = match sys::process::clone3(namespaces.clone, into) {
        // An ordinary user may be in a cgroup that none of his processes may leave.
        Err(e) if e.raw_os_error() == Some(libc::EACCES) && into.is_some() => {
            let error = cgroup::not_entered(&ground.cgroup.record, &e);
            // Then systemd may do it.
            outside = ground.init.is_some() && ground.cgroup.record.unit.is_some();
            if !outside && !ground.cgroup.optional {
                return Err(error);
            }
            if !outside {
                log::warn(format_args!("{}", error.without_hint()));
            }
            sys::process::clone3(namespaces.clone, None)
        }
        Err(e) if e.raw_os_error() == Some(libc::EBUSY) => clone_beside_init(&ground, namespaces.clone, e),
        // The container has as many processes as it may: none can be born in it, but one can enter.
        Err(e) if e.raw_os_error() == Some(libc::EAGAIN) && ground.init.is_some() => {
            procs = ground.cgroup.procs();
            if procs.is_some() { sys::process::clone3(namespaces.clone, None) } else { Err(e) }
        }
        cloned => cloned,
    };
    let (pid, pidfd) = match cloned {
        Ok(Cloned::Child) => {
            // Or this process would hold both ends, and never see that the host is gone.
            drop(socket);
            let fds = Fds {
                host: child_end,
                tasks: &ground.cgroup.tasks,
                procs: procs.as_ref().map(AsFd::as_fd),
                outside,
                joins: &joins,
                binds: &trees.binds,
                root: trees.root.as_ref().map(AsFd::as_fd),
                id_namespaces: &trees.id_namespaces,
                proc: proc.as_fd(),
                gate: ground.gate,
                target: ground.target,
            };
            child::enter(plan, fds)
        }
        Ok(Cloned::Parent { pid, pidfd }) => (pid, pidfd),
        Err(e) => {
            let group = ground.cgroup.record.groups.last().filter(|_| into.is_some());
            let cgroup = group.and_then(|g| describe::not_into_cgroup(&g.path, &g.mount, &e));
            return Err(cgroup.unwrap_or_else(|| describe::clone_failed(namespaces, &e)));
        }
    };
    let launched = Launched {
        pid,
        pidfd,
        terminal: None,
        agent: None,
        outside,
        devices: None,
        socket,
        proc,
        // No mount of the host is held longer than needed.
        trees: Trees { id_namespaces: trees.id_namespaces, ..Trees::default() },
        last_barrier: "cloned",
    };
    borrowed.leave().inspect_err(|_| launched.kill())?;
    Ok(launched)
}

impl Launched {
    /// Lets somebody put the child into its cgroup, where it waits for that.
    ///
    /// # Errors
    /// Those of `put`.
    pub fn enter(&self, put: impl FnOnce(i32) -> Result<()>) -> Result<()> {
        self.tell(ToChild::Asked)?;
        put(self.pid)?;
        self.tell(ToChild::Entered)
    }

    /// Does for the child what it cannot do by itself. On an error nothing is left running.
    ///
    /// # Errors
    /// Maps that the kernel refuses, network devices that cannot be moved.
    pub fn assist(&mut self, plan: &Plan) -> Result<()> {
        self.write_for_it(plan).inspect_err(|_| self.kill())
    }

    /// What only the host may write.
    fn write_for_it(&mut self, plan: &Plan) -> Result<()> {
        if !matches!(&plan.sandbox, Sandbox::New(container) if container.namespaces.hop) {
            self.write_maps(plan)?;
        }
        // At once, as nothing else may be said to the child before.
        match &plan.sandbox {
            Sandbox::New(container) if !container.net_devices.is_empty() => self.until(MOVED, plan),
            Sandbox::New(_) | Sandbox::Join(_) => Ok(()),
        }
    }

    /// For the process that becomes the program.
    fn write_maps(&mut self, plan: &Plan) -> Result<()> {
        let proc = self.proc.as_fd();
        if let Sandbox::New(container) = &plan.sandbox
            && let Some(maps) = &container.namespaces.maps
        {
            // Born in a user namespace it may not lower this itself, as others do.
            if let Some(adj) = plan.process.as_ref().and_then(|p| p.oom_score_adj.as_ref()) {
                idmap::write_file(proc, self.pid, "oom_score_adj", adj)
                    .map_err(|e| describe::oom_score_adj(adj, &e))?;
            }
            idmap::write(proc, self.pid, maps)?;
            self.tell(ToChild::Mapped)?;
            self.last_barrier = "mapped";
        }
        Ok(())
    }

    /// Readable when the child says something, or runs its program, or is gone.
    pub fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Says something to the child. That it is gone is not told here but by the next record.
    pub fn tell(&self, word: ToChild) -> Result<()> {
        match wire::tell(self.socket.as_fd(), word) {
            Err(e) if e.raw_os_error() == Some(libc::EPIPE) => Ok(()),
            told => told.context(|| "the child"),
        }
    }

    /// Waits until the child has mounted all and waits for hooks ([`crate::plan::hooks::HookPlan::before_pivot`]). On an
    /// error nothing is left running.
    ///
    /// # Errors
    /// What the child could not do, in words.
    pub fn until_mounted(&mut self, plan: &Plan) -> Result<()> {
        self.until(MOUNTED, plan)
    }

    /// Waits until the child is inside the container, and gives it its scheduler. On an error nothing is
    /// left running.
    ///
    /// # Errors
    /// What the child, or the host for it, could not do, in words.
    pub fn until_ready(&mut self, plan: &Plan) -> Result<()> {
        if self.last_barrier == READY {
            return Ok(());
        }
        self.until(READY, plan)?;
        let process = plan.process.as_ref();
        let settled = process.map_or(Ok(()), |p| scheduling::when_ready(&p.scheduling, self.pid));
        settled.inspect_err(|_| self.kill())
    }

    fn until(&mut self, barrier: &str, plan: &Plan) -> Result<()> {
        while self.last_barrier != barrier {
            match self.next(plan)? {
                FromChild::Mounted => self.last_barrier = MOUNTED,
                FromChild::Ready => self.last_barrier = READY,
                FromChild::Network(namespace) => {
                    self.move_devices(plan, namespace.as_fd()).inspect_err(|_| self.kill())?;
                }
                FromChild::Closed => return Err(self.died(plan)),
                FromChild::Failure(_)
                | FromChild::Terminal(_)
                | FromChild::Hopped(..)
                | FromChild::HookEnded(_)
                | FromChild::Tree(..)
                | FromChild::Listener(_) => {}
            }
        }
        Ok(())
    }

    /// Lets the child run hooks in the container's namespaces.
    ///
    /// # Errors
    /// The first hook that fails, or what the child could not do for it.
    pub fn let_run(&self, hooks: &[Hook], state: &State, plan: &Plan) -> Result<()> {
        let child = hooks::Child {
            socket: self.socket.as_fd(),
            pid: self.pid,
            explain: &|failure| describe::failure(plan, failure),
            gone: &|| self.died(plan),
        };
        hooks::let_run(hooks, state, &child)
    }

    /// Waits until the program runs: the child's end of the socket closes at execve.
    ///
    /// # Errors
    /// Why the program could not be executed.
    pub fn until_running(&mut self, plan: &Plan) -> Result<()> {
        while !matches!(self.next(plan)?, FromChild::Closed) {}
        // It also closes where the child dies before: of the filter, of the memory limit.
        match state::has_executed(self.pid) {
            Some(false) => Err(self.died(plan)),
            Some(true) | None => Ok(()),
        }
    }

    /// The next record; failures become errors, terminal and pid are kept.
    fn next(&mut self, plan: &Plan) -> Result<FromChild> {
        match wire::receive(self.socket.as_fd()).context(|| "the child")? {
            FromChild::Failure(failure) => {
                self.kill();
                Err(describe::failure(plan, &failure))
            }
            FromChild::Terminal(master) => {
                self.terminal = Some(master);
                self.next(plan)
            }
            FromChild::Hopped(pidfd, pid) => {
                let _ = sys::process::wait(self.pidfd.as_fd());
                (self.pidfd, self.pid) = (pidfd, pid);
                self.write_maps(plan).inspect_err(|_| self.kill())?;
                self.next(plan)
            }
            FromChild::Tree(tree, index) => {
                self.map_ids(plan, tree.as_fd(), index).inspect_err(|_| self.kill())?;
                self.next(plan)
            }
            FromChild::Listener(fd) => {
                self.hand_over(fd).inspect_err(|_| self.kill())?;
                self.next(plan)
            }
            other @ (FromChild::Ready
            | FromChild::Mounted
            | FromChild::HookEnded(_)
            | FromChild::Network(_)
            | FromChild::Closed) => Ok(other),
        }
    }

    fn move_devices(&mut self, plan: &Plan, namespace: BorrowedFd) -> Result<()> {
        let Sandbox::New(container) = &plan.sandbox else { return Ok(()) };
        self.devices = Some(netdev::move_all(&container.net_devices, namespace)?);
        self.last_barrier = MOVED;
        self.tell(ToChild::DevicesMoved)
    }

    /// The container is there to stay, and what was moved into it.
    pub fn keep_devices(&mut self) {
        if let Some(devices) = self.devices.take() {
            devices.keep();
        }
    }

    /// The program may call what the filter notifies of when the agent can be asked.
    fn hand_over(&mut self, listener: OwnedFd) -> Result<()> {
        let agent = self.agent.take().ok_or_else(|| Error::new("linux.seccomp: no agent was asked"))?;
        agent.hand_over(listener)?;
        self.tell(ToChild::Listening)
    }

    /// Of a mount that the child has made, so that what is locked in its mount namespace stays so.
    fn map_ids(&self, plan: &Plan, tree: BorrowedFd, index: usize) -> Result<()> {
        let Sandbox::New(container) = &plan.sandbox else { return Ok(()) };
        self.trees.map_ids(container, tree, index)?;
        self.tell(ToChild::IdsMapped)
    }

    fn died(&self, plan: &Plan) -> Error {
        let ended = sys::process::wait(self.pidfd.as_fd()).unwrap_or(Ended::Exited(1));
        describe::died(plan, ended, self.last_barrier)
    }

    /// Ends the child and reaps it.
    pub fn kill(&self) {
        let _ = sys::pidfd::send_signal(self.pidfd.as_fd(), libc::SIGKILL);
        let _ = sys::process::wait(self.pidfd.as_fd());
    }
}

/// Namespaces that the host itself is in for the moment of the clone, so that the child is born there
/// and no process in between is needed.
#[derive(Default)]
struct Borrowed {
    own: Vec<(Kind, OwnedFd)>,
}

impl Borrowed {
    fn enter(&mut self, kind: Kind, there: BorrowedFd, proc: BorrowedFd) -> Result<()> {
        let file = CString::new(format!("self/ns/{}", kind.file())).map_err(|e| Error::new(e.to_string()))?;
        let own = sys::fs::openat(proc, &file, libc::O_RDONLY, 0).context(|| "/proc/self/ns")?;
        sys::ns::setns(there, kind.flag()).context(|| format!("join the {} namespace", kind.name()))?;
        self.own.push((kind, own));
        Ok(())
    }

    fn leave(&mut self) -> Result<()> {
        for (kind, own) in self.own.drain(..).rev() {
            sys::ns::setns(own.as_fd(), kind.flag())
                .context(|| format!("return to the {} namespace", kind.name()))?;
        }
        Ok(())
    }
}

/// A container's init may have moved on into a cgroup below its own, to pass controllers on to such
/// cgroups; then none but those below can have processes (cgroup-v2.rst, "No Internal Process
/// Constraint").
fn clone_beside_init(ground: &Ground, flags: u64, busy: io::Error) -> io::Result<Cloned> {
    match ground.init.and_then(|pid| ground.cgroup.below(pid)) {
        Some(group) => sys::process::clone3(flags, Some(group.as_fd())),
        None => Err(busy),
    }
}

/// Inode number of the root of every procfs (PROC_ROOT_INO).
const PROC_ROOT: u64 = 1;

/// The host's /proc, checked to be one, and the whole of it.
pub(super) fn open_proc() -> Result<OwnedFd> {
    let proc = sys::fs::openat(CWD, c"/proc", libc::O_PATH | libc::O_DIRECTORY, 0).context(|| "/proc")?;
    let magic = sys::fs::statfs_magic(proc.as_fd()).context(|| "/proc")?;
    if magic != sys::fs::PROC_MAGIC || sys::fs::fstat(proc.as_fd()).context(|| "/proc")?.ino != PROC_ROOT {
        return Err(Error::new("/proc: is not a proc filesystem"));
    }
    Ok(proc)
}

fn check_root(container: &Container) -> Result<()> {
    let path = &container.root.path;
    match sys::fs::openat(CWD, path, libc::O_PATH | libc::O_DIRECTORY, 0) {
        Ok(_) => Ok(()),
        Err(e) => Err(describe::root_missing(path, &e)),
    }
}

/// A namespace joined by path may be the host's own: its parameters are not the container's to set.
fn check_sysctls(container: &Container) -> Result<()> {
    for join in container.namespaces.joins() {
        let Some(sysctl) = container.sysctls.iter().find(|s| s.namespace == Some(join.kind)) else {
            continue;
        };
        let inode = |path: &std::path::Path| std::fs::metadata(path).map(|m| m.ino()).ok();
        let own = inode(format!("/proc/self/ns/{}", join.kind.file()).as_ref());
        if own.is_some() && own == inode(std::ffi::OsStr::from_bytes(join.path.to_bytes()).as_ref()) {
            return Err(Error::new(format!(
                "linux.sysctl[{:?}]: linux.namespaces[{}] is the host's own {} namespace",
                sysctl.key,
                join.index,
                join.kind.name()
            )));
        }
    }
    Ok(())
}

fn open_joins(joins: &[Join]) -> Result<Vec<OwnedFd>> {
    joins.iter().map(open_namespace).collect()
}

/// Opens a namespace by path and makes sure that it is of the kind that the configuration says.
pub(super) fn open_namespace(join: &Join) -> Result<OwnedFd> {
    let path = join.path.to_string_lossy();
    let location = || format!("linux.namespaces[{}].path: {path:?}", join.index);
    let fd = sys::fs::openat(CWD, &join.path, libc::O_RDONLY, 0).context(location)?;
    match sys::ns::kind_of(fd.as_fd()) {
        Ok(kind) if kind == join.kind.flag() => Ok(fd),
        Ok(_) => Err(Error::new(format!("{}: is not a {} namespace", location(), join.kind.name()))),
        Err(_) => Err(Error::new(format!("{}: is not a namespace", location()))),
    }
}
