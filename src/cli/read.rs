//! From the arguments of the program to an [`Invocation`].

use super::flags::{COMMANDS, COMMANDS_TO_COME, GLOBAL, Kind, Verb};
use super::grammar::Given;
use super::spelling::{Flags, Spelled, spell};
use super::{
    CgroupManager, Command, Config, CreateOptions, EventsOptions, ExecOptions, ExecProcess, ExecWait, Exit,
    Global, Invocation, KillOptions, ListFormat, ListOptions, LogFormat, LogLevel, LogOptions, PlanFormat,
    PlanOptions, PsOptions, Rootless, RunOptions, SpecOptions, SpecOutput, StatsOptions,
};
use super::{grammar, help, update, values};
use crate::error::{Context, Error, Result};
use crate::state::check_id;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;

/// Reads the arguments of the program, the first of which is its own name.
///
/// # Errors
/// [`Exit`] where there is nothing to do but to print: help, the version or a mistake.
pub fn parse<I: Iterator<Item = OsString>>(args: I) -> Result<Invocation, Exit> {
    let mut spelled = spell(GLOBAL, Flags::First, args.skip(1).collect());
    if spelled.help {
        return Err(Exit::Print(help::program()));
    }
    let operands = std::mem::take(&mut spelled.operands);
    let log = log_of(&spelled.flags);
    let refuse = |error| Exit::Refuse { error, log: log.clone() };
    let mut given = grammar::parse(GLOBAL, &[], spelled).map_err(|e| refuse(see(e, "tierce --help")))?;
    if given.is_set("version") {
        return Err(Exit::Print(help::version()));
    }
    let global = global(&mut given).map_err(refuse)?;
    match command(operands) {
        Ok(command) => Ok(Invocation { global, command }),
        Err(Stop::Help(text)) => Err(Exit::Print(text)),
        Err(Stop::Mistake(error)) => Err(Exit::Refuse { error, log: Some(global.log) }),
    }
}

/// The log of a call that makes no sense otherwise: a manager shows nothing but the log.
fn log_of(flags: &[OsString]) -> Option<LogOptions> {
    let last = |name: &[u8]| flags.iter().rev().find_map(|flag| flag.as_bytes().strip_prefix(name));
    let file = values::log_file(OsStr::from_bytes(last(b"--log=")?).to_owned()).ok()?;
    let format = last(b"--log-format=").and_then(|name| values::log_format(OsStr::from_bytes(name)).ok());
    Some(LogOptions { file: Some(file), format: format.unwrap_or(LogFormat::Text), level: LogLevel::Warning })
}

/// Why there is no command.
enum Stop {
    Help(String),
    Mistake(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Stop::Mistake(error)
    }
}

fn see(error: Error, where_to_look: &str) -> Error {
    error.hint(format!("see `{where_to_look}`"))
}

fn global(given: &mut Given) -> Result<Global> {
    let log = LogOptions {
        file: given.value("log").map(values::log_file).transpose()?,
        format: choice(given, "log-format", values::log_format, LogFormat::Text)?,
        level: choice(given, "log-level", values::log_level, LogLevel::Warning)?,
    };
    Ok(Global {
        root: path(given, "root")?,
        log: if given.is_set("debug") { LogOptions { level: LogLevel::Debug, ..log } } else { log },
        cgroup_manager: cgroup_manager(given)?,
        rootless: choice(given, "rootless", values::rootless, Rootless::Auto)?,
    })
}

fn cgroup_manager(given: &mut Given) -> Result<CgroupManager> {
    let named = given.value("cgroup-manager").map(|name| values::cgroup_manager(&name)).transpose()?;
    match (named, given.is_set("systemd-cgroup")) {
        (None | Some(CgroupManager::Systemd), true) => Ok(CgroupManager::Systemd),
        (named, false) => Ok(named.unwrap_or(CgroupManager::Cgroupfs)),
        (Some(CgroupManager::Cgroupfs | CgroupManager::Disabled), true) => {
            Err(Error::new("--systemd-cgroup and --cgroup-manager ask for different things"))
        }
    }
}

fn command(operands: Vec<OsString>) -> Result<Command, Stop> {
    let mut operands = operands.into_iter();
    let Some(name) = operands.next() else {
        return Err(see(Error::new("no command was given"), "tierce --help").into());
    };
    if name == "help" {
        return Err(help_of(operands.next().as_deref()));
    }
    let verb = find(&name)?;
    let hands_on = matches!(verb.kind, Kind::Exec | Kind::Ps);
    let place = if hands_on { Flags::First } else { Flags::Anywhere };
    let mut spelled = spell(verb.flags, place, operands.collect());
    if spelled.help {
        return Err(Stop::Help(help::command(verb)));
    }
    if hands_on && spelled.operands.get(1).is_some_and(|o| o == "--") {
        spelled.operands.remove(1);
    }
    let mut given = given(verb, spelled)?;
    Ok(options(verb.kind, &mut given).context(|| verb.name)?)
}

fn help_of(name: Option<&OsStr>) -> Stop {
    match name.filter(|n| *n != "help" && *n != "--help").map(find) {
        None => Stop::Help(help::program()),
        Some(Ok(verb)) => Stop::Help(help::command(verb)),
        Some(Err(error)) => Stop::Mistake(error),
    }
}

fn find(name: &OsStr) -> Result<&'static Verb> {
    if let Some(verb) = COMMANDS.iter().find(|v| name == v.name) {
        return Ok(verb);
    }
    match COMMANDS_TO_COME.iter().find(|n| name == **n) {
        Some(name) => Err(Error::not_supported_yet(name)),
        None => Err(see(Error::new(format!("unknown command {name:?}")), "tierce --help")),
    }
}

fn given(verb: &Verb, spelled: Spelled) -> Result<Given> {
    let unknown = spelled.unknown.clone();
    let given = grammar::parse(verb.flags, verb.operands, spelled).map_err(|error| {
        let error = error.context(verb.name);
        match unknown.filter(|f| is_global(f)) {
            Some(flag) => {
                error.hint(format!("{flag} stands before the command: tierce {flag} ... {}", verb.name))
            }
            None => error.hint(format!("usage: {}; see `tierce {} --help`", help::usage(verb), verb.name)),
        }
    })?;
    match verb.flags.iter().find(|f| f.is_to_come() && given.has(f)) {
        Some(flag) => Err(Error::not_supported_yet(format_args!("--{}", flag.long)).context(verb.name)),
        None => Ok(given),
    }
}

fn is_global(flag: &str) -> bool {
    GLOBAL.iter().any(|f| flag.trim_start_matches('-') == f.long)
}

fn options(kind: Kind, given: &mut Given) -> Result<Command> {
    Ok(match kind {
        Kind::Create => Command::Create(create(given)?),
        Kind::Run => Command::Run(RunOptions {
            create: create(given)?,
            detach: given.is_set("detach"),
            keep: given.is_set("keep"),
            no_subreaper: given.is_set("no-subreaper"),
        }),
        Kind::Start => Command::Start { id: id(given)? },
        Kind::State => Command::State { id: id(given)? },
        Kind::Ps => Command::Ps(PsOptions {
            id: id(given)?,
            format: choice(given, "format", values::list_format, ListFormat::Table)?,
            ps: given.values("PS_OPTIONS"),
        }),
        Kind::Events => Command::Events(EventsOptions {
            id: id(given)?,
            once: given.is_set("stats"),
            interval: choice(given, "interval", values::interval, Duration::from_secs(5))?,
        }),
        Kind::Stats => Command::Stats(StatsOptions {
            ids: given.values("ID").into_iter().map(checked_id).collect::<Result<_>>()?,
            format: choice(given, "format", values::list_format, ListFormat::Table)?,
        }),
        Kind::Wait => Command::Wait { id: id(given)? },
        Kind::Pause => Command::Pause { id: id(given)? },
        Kind::Resume => Command::Resume { id: id(given)? },
        Kind::Kill => Command::Kill(KillOptions {
            id: id(given)?,
            signal: given.value("SIGNAL").map_or(Ok(libc::SIGTERM), |s| values::signal(&s))?,
            all: given.is_set("all"),
        }),
        Kind::Delete => Command::Delete { id: id(given)?, force: given.is_set("force") },
        Kind::List => Command::List(ListOptions {
            format: choice(given, "format", values::list_format, ListFormat::Table)?,
            quiet: given.is_set("quiet"),
        }),
        Kind::Spec => Command::Spec(spec(given)?),
        Kind::Plan => Command::Plan(PlanOptions {
            id: given.value("ID").map(|id| values::text("container id", id)).transpose()?,
            bundle: bundle(given)?,
            config: config(given)?,
            format: choice(given, "format", values::plan_format, PlanFormat::Text)?,
        }),
        Kind::Features => Command::Features,
        Kind::Exec => Command::Exec(Box::new(exec(given)?)),
        Kind::Update => Command::Update(update::options(id(given)?, given)?),
    })
}

fn create(given: &mut Given) -> Result<CreateOptions> {
    Ok(CreateOptions {
        id: id(given)?,
        bundle: bundle(given)?,
        config: config(given)?,
        console_socket: path(given, "console-socket")?,
        pidfd_socket: path(given, "pidfd-socket")?,
        pid_file: path(given, "pid-file")?,
        no_pivot: given.is_set("no-pivot"),
        no_new_keyring: given.is_set("no-new-keyring"),
        preserve_fds: preserve_fds(given)?,
    })
}

fn spec(given: &mut Given) -> Result<SpecOptions> {
    let output = match path(given, "file")? {
        Some(file) if file.as_os_str() == "-" => SpecOutput::Stdout,
        file => SpecOutput::File(file.unwrap_or_else(|| "config.json".into())),
    };
    Ok(SpecOptions { bundle: bundle(given)?, rootless: given.is_set("rootless"), output })
}

fn exec(given: &mut Given) -> Result<ExecOptions> {
    Ok(ExecOptions {
        id: id(given)?,
        process: exec_process(given)?,
        detach: given.is_set("detach"),
        pid_file: path(given, "pid-file")?,
        tty: given.is_set("tty"),
        console_socket: path(given, "console-socket")?,
        wait: exec_wait(given)?,
        pidfd_socket: path(given, "pidfd-socket")?,
        cwd: path(given, "cwd")?,
        env: each(given, "env", values::variable)?,
        user: given.value("user").map(|u| values::user("--user", &u)).transpose()?,
        additional_gids: each(given, "additional-gids", |what, gid| values::gid(what, &gid))?,
        caps: each(given, "cap", values::text)?,
        no_new_privs: given.is_set("no-new-privs"),
        preserve_fds: preserve_fds(given)?,
        cgroup: each(given, "cgroup", values::sub_cgroup)?,
        ignore_paused: given.is_set("ignore-paused"),
        process_label: given
            .value("process-label")
            .map(|l| values::text("--process-label", l))
            .transpose()?,
        apparmor: given.value("apparmor").map(|p| values::text("--apparmor", p)).transpose()?,
    })
}

fn exec_wait(given: &mut Given) -> Result<ExecWait> {
    let by_pidfd = given.is_set("exec-wait-pidfd");
    match path(given, "exec-wait-fifo")? {
        Some(_) if by_pidfd => Err(Error::new("--exec-wait-fifo and --exec-wait-pidfd exclude each other")),
        Some(fifo) => Ok(ExecWait::Fifo(fifo)),
        None if by_pidfd && !given.is_typed("pidfd-socket") => {
            Err(Error::new("--exec-wait-pidfd: needs --pidfd-socket, where the word to go on comes from"))
        }
        None => Ok(if by_pidfd { ExecWait::Receiver } else { ExecWait::No }),
    }
}

fn exec_process(given: &mut Given) -> Result<ExecProcess> {
    let command = given.values("COMMAND");
    match (path(given, "process")?, command.is_empty()) {
        (Some(file), true) => Ok(ExecProcess::File(file)),
        (None, false) => Ok(ExecProcess::Command(command)),
        (None, true) => Err(see(Error::new("neither COMMAND nor --process is given"), "tierce exec --help")),
        (Some(_), false) => {
            Err(see(Error::new("COMMAND and --process exclude each other"), "tierce exec --help"))
        }
    }
}

fn id(given: &mut Given) -> Result<String> {
    checked_id(given.value("ID").unwrap_or_default())
}

fn checked_id(id: OsString) -> Result<String> {
    let id = values::text("container id", id)?;
    check_id(&id)?;
    Ok(id)
}

fn bundle(given: &mut Given) -> Result<PathBuf> {
    Ok(path(given, "bundle")?.unwrap_or_else(|| ".".into()))
}

fn config(given: &mut Given) -> Result<Config> {
    Ok(match path(given, "config")? {
        None => Config::InBundle,
        Some(file) if file.as_os_str() == "-" => Config::Stdin,
        Some(file) => Config::File(file),
    })
}

fn preserve_fds(given: &mut Given) -> Result<u32> {
    given.value("preserve-fds").map_or(Ok(0), |n| values::count("--preserve-fds", &n))
}

fn path(given: &mut Given, flag: &str) -> Result<Option<PathBuf>> {
    given.value(flag).map(|value| values::path(&format!("--{flag}"), value)).transpose()
}

fn choice<T>(given: &mut Given, flag: &str, read: fn(&OsStr) -> Result<T>, default: T) -> Result<T> {
    given.value(flag).map_or(Ok(default), |value| read(&value))
}

fn each<T>(given: &mut Given, flag: &str, read: impl Fn(&str, OsString) -> Result<T>) -> Result<Vec<T>> {
    given.values(flag).into_iter().map(|value| read(&format!("--{flag}"), value)).collect()
}
