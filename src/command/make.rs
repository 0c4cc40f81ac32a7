//! What `create` and `run` share: from the bundle to a child on its way, with everything undone if
//! something fails.

use super::Env;
use crate::child::Gate;
use crate::cli::{Config, CreateOptions};
use crate::error::{Context, Error, Result};
use crate::host::agent::{self, Agent};
use crate::host::cgroup::{self, Cgroup, Record};
use crate::host::launch::{Ground, Launched, launch};
use crate::host::receiver::{Receiver, Whose};
use crate::host::systemd::{self, Bus};
use crate::host::{console, hooks as host_hooks, notify, probe, resctrl};
use crate::log::{self, Utc, debug};
use crate::plan::cgroup::CgroupPlan;
use crate::plan::cgroup::unit::Unit;
use crate::plan::namespaces::Kind;
use crate::plan::process::Listen;
use crate::plan::{self, Options, Plan, Sandbox, hooks};
use crate::spec::annotations;
use crate::spec::bundle::{self, Bundle, ConfigSource};
use crate::spec::config::Hooks;
use crate::spec::validate;
use crate::state::{self, Dir, State};
use crate::sys;
use crate::wire::ToChild;
use std::ffi::OsStr;
use std::io::Write as _;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A container that is decided on; nothing was done yet.
#[derive(Debug)]
pub struct Prepared {
    /// What will be done.
    pub plan: Plan,
    /// What will be recorded.
    pub state: State,
    /// `--console-socket`, connected.
    pub console: Option<OwnedFd>,
    /// Who gets a pidfd of init, connected.
    pub receivers: Vec<Receiver>,
    /// systemd, if it is to make the cgroup; nothing was said yet.
    pub bus: Option<Bus>,
}

/// Parse, validate, plan: everything that can be known beforehand.
pub fn prepare(env: &Env, options: &CreateOptions, detached: bool) -> Result<Prepared> {
    let mut bundle = load(&options.bundle, &options.config)?;
    let notify = notify::add_to(&mut bundle.spec, &env.root, &options.id);
    let facts = probe::probe(env.manager != plan::cgroup::Manager::Disabled)?;
    let inherited = inherited_fds(options.preserve_fds)?;
    let bus = env.unit_manager(&facts).map(Bus::connect).transpose()?;
    let plan_options = Options {
        id: options.id.clone(),
        bundle: bundle.dir.clone(),
        no_pivot: options.no_pivot,
        new_keyring: !options.no_new_keyring,
        preserve_fds: inherited.count,
        listen: inherited.listen,
        cgroup_manager: env.manager,
        rootless: env.is_rootless(&facts),
    };
    let plan = plan::container(&bundle.spec, &facts, &plan_options).context(|| name(&options.config))?;
    check_cgroup(&plan)?;
    if let Sandbox::New(container) = &plan.sandbox {
        host_hooks::check(&container.hooks, &container.root.path)?;
    }
    resctrl::check(&plan)?;
    debug(format_args!("bundle {} is planned", bundle.dir.display()));
    for call in plan.process.iter().flat_map(|p| &p.seccomp).flat_map(|filter| &filter.unknown) {
        debug(format_args!("linux.seccomp: {call:?} is no system call that we know, left out"));
    }
    super::warn(&plan.warnings);
    let terminal = plan.process.as_ref().is_some_and(|p| p.terminal.is_some());
    let console = console_socket(options.console_socket.as_deref(), terminal, detached)?;
    check_agent(&plan)?;
    let receivers = receivers(&plan, options)?;
    let state = State { notify, ..first_state(&bundle, &plan, options, facts.uid) };
    Ok(Prepared { plan, state, console, receivers, bus })
}

/// Looks whether a seccomp agent can be there, if one is needed.
pub fn check_agent(plan: &Plan) -> Result<()> {
    plan.process.as_ref().and_then(|p| p.listener.as_ref()).map_or(Ok(()), Agent::check)
}

fn receivers(plan: &Plan, options: &CreateOptions) -> Result<Vec<Receiver>> {
    let annotated = match &plan.sandbox {
        Sandbox::New(container) => container.pidfd_receiver.as_deref(),
        Sandbox::Join(_) => None,
    };
    let by_flag = options.pidfd_socket.as_deref().map(|path| Receiver::of_flag(path, Whose::Init));
    annotated.map(Receiver::of_annotation).into_iter().chain(by_flag).collect()
}

/// What a caller without root may not do with cgroups is told before anything is done.
pub fn check_cgroup(plan: &Plan) -> Result<()> {
    match &plan.sandbox {
        Sandbox::New(container) => cgroup::check(&container.cgroup),
        Sandbox::Join(_) => Ok(()),
    }
}

/// Reads and validates a bundle.
pub fn load(dir: &Path, config: &Config) -> Result<Bundle> {
    let source = match config {
        Config::InBundle => ConfigSource::Bundle,
        Config::File(path) => ConfigSource::File(path.clone()),
        Config::Stdin => ConfigSource::Stdin,
    };
    let bundle = bundle::load(dir, &source)?;
    let checked = validate::check(&bundle.spec).map_err(|error| bundle.locate(error));
    for warning in checked.context(|| name(config))? {
        crate::log::warn(format_args!("{}: {}: {}", name(config), warning.path, warning.text));
    }
    if log::enabled(log::Level::Debug) {
        for key in annotations::without_effect(&bundle.spec) {
            debug(format_args!("{}: annotations[{key:?}]: has no effect", name(config)));
        }
    }
    Ok(bundle)
}

/// What a configuration is called in messages.
pub fn name(config: &Config) -> String {
    match config {
        Config::InBundle => "config.json".into(),
        Config::File(path) => path.display().to_string(),
        Config::Stdin => "standard input".into(),
    }
}

/// The fds from 3 on that the program inherits.
pub struct Inherited {
    /// How many.
    pub count: u32,
    /// The first ones, if the caller was told to listen on them.
    pub listen: Option<Listen>,
}

/// `--preserve-fds`, behind the fds of $LISTEN_FDS if that is meant for this process (sd_listen_fds(3)).
/// They must be there, or the program would get ours in their place.
pub fn inherited_fds(preserve: u32) -> Result<Inherited> {
    let number = |name| std::env::var(name).ok().and_then(|n| n.parse::<u32>().ok());
    let is_ours = number("LISTEN_PID") == Some(std::process::id());
    let listen = number("LISTEN_FDS")
        .filter(|fds| is_ours && *fds > 0)
        .map(|fds| Listen { fds, names: std::env::var("LISTEN_FDNAMES").ok() });
    let activated = listen.as_ref().map_or(0, |listen| listen.fds);
    let count = preserve.saturating_add(activated);
    for number in 0..count.min(1 << 20) {
        let fd = 3 + number as i32;
        if !sys::fs::is_inherited(fd) {
            let flag = if number < activated { "$LISTEN_FDS" } else { "--preserve-fds" };
            let given = if number < activated { activated } else { preserve };
            return Err(Error::new(format!("{flag} {given}: fd {fd} was not handed on by the caller")));
        }
    }
    Ok(Inherited { count, listen })
}

/// The socket that gets the terminal: needed exactly when there is one that nobody here carries.
pub fn console_socket(path: Option<&Path>, terminal: bool, detached: bool) -> Result<Option<OwnedFd>> {
    match (path, terminal, detached) {
        (Some(path), true, true) => console::connect(path).map(Some),
        (Some(_), false, _) => {
            Err(Error::new("--console-socket: process.terminal is not set, there is no terminal to send"))
        }
        (Some(_), true, false) => {
            Err(Error::new("--console-socket: in the foreground the terminal is carried here; add --detach"))
        }
        (None, true, true) => Err(Error::new(
            "process.terminal: true needs --console-socket, unless the container runs in the foreground",
        )),
        (None, _, _) => Ok(None),
    }
}

fn first_state(bundle: &Bundle, plan: &Plan, options: &CreateOptions, owner: u32) -> State {
    let Sandbox::New(container) = &plan.sandbox else { return State::default() };
    let program = plan.process.as_ref().and_then(|p| p.args.strings().first());
    State {
        oci_version: bundle.spec.oci_version.clone(),
        id: plan.id.clone(),
        bundle: bundle.dir.clone(),
        rootfs: PathBuf::from(OsStr::from_bytes(container.root.path.to_bytes())),
        created: format!("{:.9}", Utc(SystemTime::now())),
        annotations: bundle.spec.annotations.clone().unwrap_or_default(),
        owner,
        cgroup: Record::planned(&container.cgroup),
        resctrl: container.resctrl.as_ref().and_then(resctrl::Record::planned),
        namespaces: container.namespaces.mask(),
        ends_with_init: container.namespaces.is_new(Kind::Pid),
        no_pivot: container.root.no_pivot,
        new_keyring: !options.no_new_keyring,
        hooks: bundle.spec.hooks.as_ref().map(after_create).unwrap_or_default(),
        program: program.map(|p| p.to_string_lossy().into_owned()).unwrap_or_default(),
        listener: plan.process.as_ref().and_then(|p| p.listener.clone()),
        config: match &options.config {
            Config::InBundle => Some(bundle.dir.join("config.json")),
            Config::File(path) => path.canonicalize().ok(),
            Config::Stdin => None,
        },
        ..State::default()
    }
}

/// The hooks that other commands than `create` run.
fn after_create(hooks: &Hooks) -> Hooks {
    Hooks {
        start_container: hooks.start_container.clone(),
        poststart: hooks.poststart.clone(),
        poststop: hooks.poststop.clone(),
        ..Hooks::default()
    }
}

/// A container that is being made: undone when dropped, unless it is kept.
#[derive(Debug)]
pub struct Making {
    /// Its state directory.
    pub dir: Dir,
    /// What is recorded of it.
    pub state: State,
    cgroup: Cgroup,
    launched: Option<Launched>,
    /// It was made, or hooks of its creation have begun: poststop hooks are due at its end.
    existed: bool,
    keep: bool,
}

impl Making {
    /// Claims the id, makes the cgroups and clones the child, which waits at the gate if
    /// `with_gate`, else for the word of this process.
    pub fn begin(env: &Env, plan: &Plan, state: State, bus: Option<Bus>, with_gate: bool) -> Result<Making> {
        let dir = state::claim(&env.root, &plan.id)?;
        let cgroup = Cgroup::default();
        let mut making = Making { dir, state, cgroup, launched: None, existed: false, keep: false };
        // On record before anything else is made: `delete --force` finds it even if this process is
        // killed on the next line.
        making.dir.write(&making.state)?;
        if making.state.notify {
            making.dir.make_notify()?;
        }
        // What create() does not make may be another container's: it is not ours to remove.
        making.state.cgroup = Record::default();
        making.state.resctrl = None;
        let unit = bus.and_then(|bus| Some((bus, planned_unit(plan)?)));
        if let Sandbox::New(container) = &plan.sandbox {
            if unit.is_none() {
                making.cgroup = cgroup::create(&container.cgroup)?;
                making.state.cgroup = making.cgroup.record.clone();
                debug(format_args!("{} cgroups made", making.state.cgroup.groups.len()));
            }
            making.state.resctrl = container.resctrl.as_ref().map(resctrl::create).transpose()?;
        }
        let listener = if with_gate { Some(making.dir.make_gate()?) } else { None };
        let gate = match &listener {
            Some(listener) => Gate::Socket { listener: listener.as_fd(), state: making.dir.fd() },
            None => Gate::Host,
        };
        let outside = unit.is_some();
        let launched =
            launch(plan, Ground { cgroup: &making.cgroup, gate, target: None, init: None, outside })?;
        debug(format_args!("init cloned, pid {}", launched.pid));
        making.launched = Some(launched);
        if let Some((mut bus, (cgroup, unit))) = unit {
            making.enter_unit(&mut bus, cgroup, unit)?;
        }
        making.child()?.assist(plan)?;
        making.run_first_hooks(plan)?;
        Ok(making)
    }

    /// Lets systemd make the cgroup, around the child.
    fn enter_unit(&mut self, bus: &mut Bus, plan: &CgroupPlan, unit: &Unit) -> Result<()> {
        let Making { launched, cgroup, state, .. } = self;
        launched.as_ref().ok_or_else(no_child)?.enter(|pid| {
            systemd::start(bus, unit, pid)?;
            state.cgroup = Record::planned(plan);
            *cgroup = cgroup::adopt(plan, pid)?;
            state.cgroup = cgroup.record.clone();
            debug(format_args!("unit {} is started", unit.name));
            Ok(())
        })
    }

    /// The hooks of the creation, for which the child waits between its mounts and its change of root.
    fn run_first_hooks(&mut self, plan: &Plan) -> Result<()> {
        let Sandbox::New(container) = &plan.sandbox else { return Ok(()) };
        if !container.hooks.before_pivot() {
            return Ok(());
        }
        self.child()?.until_mounted(plan)?;
        self.existed = true;
        let pid = self.child()?.pid;
        for kind in [hooks::Kind::Prestart, hooks::Kind::CreateRuntime] {
            host_hooks::run(container.hooks.of(kind), &self.state, pid)?;
        }
        let child = self.launched.as_ref().ok_or_else(no_child)?;
        child.tell(ToChild::HooksDone)?;
        child.let_run(container.hooks.of(hooks::Kind::CreateContainer), &self.state, plan)
    }

    /// Waits until the child is inside the container.
    pub fn until_ready(&mut self, plan: &Plan) -> Result<()> {
        self.child()?.until_ready(plan)?;
        self.existed = true;
        // As one process, before the program can make more.
        let pid = self.child()?.pid;
        self.state.resctrl.as_ref().map_or(Ok(()), |class| class.enter(pid))
    }

    /// Waits until the program runs, with the hooks before and after that.
    pub fn until_running(&mut self, plan: &Plan) -> Result<()> {
        let Sandbox::New(container) = &plan.sandbox else { return Ok(()) };
        let child = self.launched.as_mut().ok_or_else(no_child)?;
        child.let_run(container.hooks.of(hooks::Kind::StartContainer), &self.state, plan)?;
        child.until_running(plan)?;
        host_hooks::run(container.hooks.of(hooks::Kind::Poststart), &self.state, child.pid)
    }

    /// The child.
    pub fn child(&mut self) -> Result<&mut Launched> {
        self.launched.as_mut().ok_or_else(no_child)
    }

    /// Puts the child on record, its pid into `--pid-file`, and its pidfd where that is wanted.
    pub fn record(&mut self, pid_file: Option<&Path>, receivers: &[Receiver]) -> Result<()> {
        let pid = self.child()?.pid;
        self.state.pid = pid;
        self.state.start_time = state::start_time(pid)
            .ok_or_else(|| Error::new(format!("init ended, pid {pid}, before it was on record")))?;
        self.dir.write(&self.state)?;
        debug(format_args!("container {} is on record", self.state.id));
        pid_file.map_or(Ok(()), |path| write_pid_file(path, pid))?;
        for receiver in receivers {
            receiver.hand_over(self.child()?.pidfd.as_fd())?;
        }
        self.dir.made()
    }

    /// Asks the seccomp agent, if one is needed, to wait for the notification fd of the child.
    pub fn ask_agent(&mut self) -> Result<()> {
        if let Some(listener) = &self.state.listener {
            let agent = Agent::connect(listener, &self.state, self.state.pid, agent::Status::Creating)?;
            self.child()?.agent = Some(agent);
        }
        Ok(())
    }

    /// Nothing is undone any more.
    pub fn keep(mut self) -> Launched {
        self.keep = true;
        let mut launched = self.launched.take().unwrap_or_else(|| unreachable!("begin() has launched it"));
        launched.keep_devices();
        launched
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        if self.keep {
            return;
        }
        // Dropped here: its network devices come back before the poststop hooks look.
        if let Some(launched) = self.launched.take() {
            launched.kill();
            self.state.pid = launched.pid;
        }
        // It may have been that there were too many fds: removing takes some.
        self.cgroup = Cgroup::default();
        // The error that led here is the one to be told.
        let _ = match self.existed {
            true => super::delete::end(&self.dir, &self.state),
            false => super::delete::destroy(&self.dir, &self.state),
        };
    }
}

fn planned_unit(plan: &Plan) -> Option<(&CgroupPlan, &Unit)> {
    let Sandbox::New(container) = &plan.sandbox else { return None };
    container.cgroup.unit.as_ref().map(|unit| (&container.cgroup, unit))
}

fn no_child() -> Error {
    Error::new("no child")
}

/// Writes a pid file atomically: managers read it as soon as it is there.
pub fn write_pid_file(path: &Path, pid: i32) -> Result<()> {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    let temporary = path.with_file_name(name);
    // Never through a link, or into a pipe, that somebody left there.
    let _ = std::fs::remove_file(&temporary);
    let file = std::fs::File::create_new(&temporary);
    let written = file
        .and_then(|mut file| file.write_all(pid.to_string().as_bytes()))
        .and_then(|()| std::fs::rename(&temporary, path));
    if written.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    written.context(|| format!("--pid-file {}", path.display()))
}
