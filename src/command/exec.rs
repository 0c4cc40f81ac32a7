//! `exec`: another process in a container that is there. The same launch and the same child code as
//! `create`, with the namespaces joined.

use super::{Env, make};
use crate::child::{Gate, JoinFds};
use crate::cli::{Config, ExecOptions, ExecProcess, ExecWait};
use crate::error::{Context, Error, Result};
use crate::host::agent::{self, Agent};
use crate::host::foreground::{self, Service, Signals};
use crate::host::hold::Fifo;
use crate::host::launch::{Ground, Launched, launch};
use crate::host::receiver::{Receiver, Whose};
use crate::host::{cgroup, console, exe, oom, probe, systemd};
use crate::plan::namespaces::{Kind, comes_back};
use crate::plan::{self, Options, Plan, Target};
use crate::spec::bundle::load_process;
use crate::spec::config::{Capabilities, Process, Spec};
use crate::spec::validate;
use crate::state::{self, State};
use crate::sys;
use crate::sys::process::Ended;
use crate::wire::ToChild;
use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};

/// Runs a program in a container; gives its exit status, 128 + n for signal n, 0 if detached.
///
/// # Errors
/// The container does not run, the program cannot be executed.
pub fn run(env: &Env, options: &ExecOptions) -> Result<u8> {
    exec(env, options).context(|| format!("exec {}", options.id))
}

fn exec(env: &Env, options: &ExecOptions) -> Result<u8> {
    exe::protect()?;
    let dir = state::open(&env.root, &options.id)?;
    let state = dir.read_complete(&options.id)?;
    let Some(init) = state::init(&state) else {
        return Err(Error::new("container not running: cannot exec in a stopped container"));
    };
    let paused = cgroup::is_frozen(&state.cgroup);
    if paused && !options.ignore_paused {
        return Err(Error::new("cannot exec in a paused container").hint(format!(
            "`tierce resume {}` lets it go on; with --ignore-paused this waits until somebody does",
            options.id
        )));
    }
    let plan = decide(env, options, &state)?;
    super::warn(&plan.warnings);
    make::check_agent(&plan)?;
    let terminal = plan.process.as_ref().is_some_and(|p| p.terminal.is_some());
    let console = make::console_socket(options.console_socket.as_deref(), terminal, options.detach)?;
    let held = Held::prepare(options, &plan)?;
    let cgroup = cgroup::open_below(&state.cgroup, &options.cgroup)?;
    let signals = if options.detach { None } else { Some(Signals::catch()?) };
    let root = root_of(&state)?;
    let killed = signals.as_ref().and_then(|_| oom::kills(&state.cgroup));
    let target = Some(JoinFds { pidfd: init.as_fd(), root: root.as_ref().map(AsFd::as_fd) });
    // Who names a cgroup wants that one, not what the others can do with.
    let init = options.cgroup.is_empty().then_some(state.pid);
    let ground = Ground { cgroup: &cgroup, gate: held.gate(), target, init, outside: false };
    let mut child = launch(&plan, ground).map_err(|e| unless_ended(&state, e))?;
    if child.outside {
        let attach = |pid| state.cgroup.unit.as_ref().map_or(Ok(()), |unit| systemd::attach(unit, pid));
        child.enter(attach).inspect_err(|_| child.kill())?;
    }
    child.assist(&plan)?;
    if let Some(signals) = signals.as_ref().filter(|_| paused)
        && let Some(signal) = signals.or_readable(child.socket())?
    {
        // Not reaped: with cgroup v1 it ends no sooner than it is resumed.
        let _ = sys::pidfd::send_signal(child.pidfd.as_fd(), libc::SIGKILL);
        return Ok(Ended::Killed(signal).status());
    }
    child.until_ready(&plan).map_err(|e| not_entered(&state, e))?;
    if let Some(class) = &state.resctrl {
        class.enter(child.pid).inspect_err(|_| child.kill())?;
    }
    let recorded = options.pid_file.as_deref().map_or(Ok(()), |path| make::write_pid_file(path, child.pid));
    // Before the program runs, so that it finds a terminal of the right size.
    let attended = recorded.and_then(|()| console::attend(child.terminal.take(), console.as_ref()));
    let attended = attended.and_then(|relay| held.announce(&child).map(|()| relay));
    let relay = attended.inspect_err(|_| child.kill())?;
    if held.waits() {
        drop(held);
        if let Some(ended) = until_released(&mut child, &plan, signals.as_ref())? {
            return Ok(ended.status());
        }
    } else {
        if let Some(listener) = plan.process.as_ref().and_then(|p| p.listener.as_ref()) {
            let agent = Agent::connect(listener, &state, child.pid, agent::Status::Running);
            child.agent = Some(agent.inspect_err(|_| child.kill())?);
        }
        child.tell(ToChild::Go)?;
        child.until_running(&plan).map_err(|e| unless_ended(&state, e))?;
    }
    let Some(signals) = signals else { return Ok(0) };
    let service = Service { relay, notify: None };
    let status = foreground::wait(child.pid, child.pidfd.as_fd(), &signals, service)?.status();
    let oom = killed.and_then(|before| oom::since(&state.cgroup, before));
    oom.map_or(Ok(status), |oom| oom.judge(status))
}

/// What the kernel says of a container that is just ending misleads: its pid namespace has no memory left
/// (ENOMEM), its cgroup no device (ENODEV).
fn unless_ended(state: &State, error: Error) -> Error {
    match state::is_alive(state) && !state::is_dying(state.pid) {
        true => error,
        false => Error::new("container not running: it ended while the program was being started"),
    }
}

/// Why the container cannot be entered: before its execve init is not dumpable, and lets only root in.
fn not_entered(state: &State, error: Error) -> Error {
    let error = unless_ended(state, error);
    match (error.as_errno(), state::has_executed(state.pid)) {
        (Some(libc::EPERM), Some(false)) => error.hint(
            "init has not executed its program yet, and lets nobody but root in before: `tierce start` first",
        ),
        _ => error,
    }
}

/// Who is told of the process before it runs its program, and may hold it back.
struct Held {
    receiver: Option<Receiver>,
    fifo: Option<Fifo>,
    by_receiver: bool,
}

impl Held {
    fn prepare(options: &ExecOptions, plan: &Plan) -> Result<Held> {
        let waits = options.wait != ExecWait::No;
        if let Some(listener) = plan.process.as_ref().and_then(|p| p.listener.as_ref()).filter(|_| waits) {
            return Err(Error::new(format!(
                "{}: with --exec-wait-fifo or --exec-wait-pidfd nobody is left to hand the filter over",
                listener.location
            )));
        }
        let receiver = options.pidfd_socket.as_deref().map(|path| Receiver::of_flag(path, Whose::Exec));
        let fifo = if let ExecWait::Fifo(path) = &options.wait { Some(Fifo::open(path)?) } else { None };
        Ok(Held { receiver: receiver.transpose()?, fifo, by_receiver: options.wait == ExecWait::Receiver })
    }

    fn gate(&self) -> Gate<'_> {
        match (&self.fifo, &self.receiver) {
            (Some(fifo), _) => Gate::Fifo { end: fifo.end.as_fd(), opened: fifo.opened.as_fd() },
            (None, Some(receiver)) if self.by_receiver => Gate::Answer(receiver.socket()),
            (None, _) => Gate::Host,
        }
    }

    fn waits(&self) -> bool {
        self.fifo.is_some() || self.by_receiver
    }

    fn announce(&self, child: &Launched) -> Result<()> {
        self.receiver.as_ref().map_or(Ok(()), |receiver| receiver.hand_over(child.pidfd.as_fd()))
    }
}

/// Leaves the child to whoever lets it go on; in the foreground it waits along. Gives how it ended, if a
/// signal to this process came before.
fn until_released(child: &mut Launched, plan: &Plan, signals: Option<&Signals>) -> Result<Option<Ended>> {
    child.tell(ToChild::Recorded)?;
    let Some(signals) = signals else { return Ok(None) };
    if let Some(signal) = signals.or_readable(child.socket())? {
        child.kill();
        return Ok(Some(Ended::Killed(signal)));
    }
    child.until_running(plan).map(|()| None)
}

/// Parse, validate, plan.
fn decide(env: &Env, options: &ExecOptions, state: &State) -> Result<Plan> {
    let Some(config) = state.config.clone().map(Config::File) else {
        return Err(Error::new(
            "the container's configuration came from standard input, which exec cannot read again",
        ));
    };
    let loaded = make::load(&state.bundle, &config).map_err(|e| match e.as_errno() {
        Some(libc::ENOENT) => e.hint("exec reads the container's configuration again"),
        _ => e,
    });
    let spec = loaded?.spec;
    let process = process(options, &spec)?;
    let facts = probe::probe(false)?;
    let inherited = make::inherited_fds(options.preserve_fds)?;
    let plan_options = Options {
        id: options.id.clone(),
        bundle: state.bundle.clone(),
        no_pivot: state.no_pivot,
        new_keyring: state.new_keyring,
        preserve_fds: inherited.count,
        listen: inherited.listen,
        cgroup_manager: env.manager,
        rootless: env.is_rootless(&facts),
    };
    let has = |kind: Kind| state.namespaces & kind.flag() != 0;
    let target = Target {
        namespaces: state.namespaces & !Kind::Pid.flag(),
        pid_namespace: has(Kind::Pid),
        hop: has(Kind::Pid) && (has(Kind::User) || !comes_back(&facts)),
        user_namespace: has(Kind::User),
        no_pivot: state.no_pivot,
    };
    plan::exec(&process, &spec, target, &facts, &plan_options)
}

/// The process: of the file, or the container's own with what the flags change.
fn process(options: &ExecOptions, spec: &Spec) -> Result<Process> {
    let mut process = match &options.process {
        ExecProcess::File(path) => like_the_container(load_process(path)?, spec),
        ExecProcess::Command(args) => {
            let mut process = spec.process.clone().unwrap_or_default();
            process.terminal = options.tty;
            let text = |arg: &std::ffi::OsString| {
                arg.clone().into_string().map_err(|arg| Error::new(format!("{arg:?} is not UTF-8")))
            };
            process.args = Some(args.iter().map(text).collect::<Result<_>>()?);
            for env in &options.env {
                process.env.push(text(env)?);
            }
            process
        }
    };
    process.terminal |= options.tty;
    process.no_new_privileges |= options.no_new_privs;
    if let Some(cwd) = &options.cwd {
        process.cwd = cwd.to_string_lossy().into_owned();
    }
    if let Some(user) = options.user {
        process.user.uid = user.uid;
        process.user.gid = user.gid.unwrap_or(process.user.gid);
    }
    process.selinux_label = options.process_label.clone().or(process.selinux_label);
    process.apparmor_profile = options.apparmor.clone().or(process.apparmor_profile);
    process.user.additional_gids.extend(&options.additional_gids);
    if !options.caps.is_empty() {
        // Not into the inheritable set: files of the image would gain from it (CVE-2022-29162).
        let sets = process.capabilities.get_or_insert_with(Capabilities::default);
        for set in [&mut sets.bounding, &mut sets.effective, &mut sets.permitted] {
            set.extend(options.caps.iter().cloned());
        }
    }
    for warning in validate::check_process(&process).context(|| "process")? {
        crate::log::warn(format_args!("process: {}: {}", warning.path, warning.text));
    }
    Ok(process)
}

/// What a process.json does not say is as in the container, where it would be less confined or preferred
/// otherwise.
fn like_the_container(mut process: Process, spec: &Spec) -> Process {
    let Some(own) = &spec.process else { return process };
    let label = |own: &Option<String>, label: Option<String>| label.filter(|l| !l.is_empty()).or(own.clone());
    process.apparmor_profile = label(&own.apparmor_profile, process.apparmor_profile);
    process.selinux_label = label(&own.selinux_label, process.selinux_label);
    process.scheduler = process.scheduler.or_else(|| own.scheduler.clone());
    process.io_priority = process.io_priority.or_else(|| own.io_priority.clone());
    process.exec_cpu_affinity = process.exec_cpu_affinity.or_else(|| own.exec_cpu_affinity.clone());
    process
}

/// With `--no-pivot` the root of the mount namespace is not the container's.
fn root_of(state: &State) -> Result<Option<OwnedFd>> {
    if !state.no_pivot {
        return Ok(None);
    }
    let path = CString::new(format!("/proc/{}/root", state.pid)).map_err(|e| Error::new(e.to_string()))?;
    let root = sys::fs::openat(sys::fs::CWD, &path, libc::O_PATH | libc::O_DIRECTORY, 0);
    root.map(Some).context(|| "the container's root")
}
