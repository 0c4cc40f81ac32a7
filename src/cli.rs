//! The command line: flags become one [`Command`] with its options. No I/O happens here.
//!
//! Each verb's flags stand in a table (`flags`); `spelling` brings the ways in which callers
//! write them (Go's flag package, getopt_long(3)) to one form, clap parses that form for the one
//! verb that was asked for, and `read` turns what it found into the types below.

mod exit;
mod flags;
mod grammar;
mod help;
mod read;
mod spelling;
mod update;
mod values;

pub use crate::host::cgroup::Below as SubCgroup;
pub use crate::log::{Format as LogFormat, Level as LogLevel, Options as LogOptions};
pub use exit::Exit;
pub use flags::COMMANDS_TO_COME;
pub use help::version;
pub use read::parse;

use crate::spec::config::Resources;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// One call of the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// Flags that stand before the command.
    pub global: Global,
    /// What to do.
    pub command: Command,
}

/// Flags that hold for every command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Global {
    /// `--root`: the directory of the state directories; `None` asks for the default.
    pub root: Option<PathBuf>,
    /// `--log`, `--log-format`, `--log-level`, `--debug`
    pub log: LogOptions,
    /// `--cgroup-manager`, `--systemd-cgroup`
    pub cgroup_manager: CgroupManager,
    /// `--rootless`
    pub rootless: Rootless,
}

/// Who makes the cgroup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CgroupManager {
    /// tierce, with mkdir(2) in the cgroup filesystem.
    Cgroupfs,
    /// systemd, asked over D-Bus.
    Systemd,
    /// Nobody: the container stays in the caller's cgroup.
    Disabled,
}

/// Whether a missing permission on cgroups is tolerated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rootless {
    /// Tolerated.
    True,
    /// An error.
    False,
    /// Tolerated where the caller is not root on the host.
    Auto,
}

/// The verbs of the runtime.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Create a container that waits for `start`.
    Create(CreateOptions),
    /// Create, start, wait and delete.
    Run(RunOptions),
    /// Let a created container run its program.
    Start {
        /// The container.
        id: String,
    },
    /// Stop all processes of a container until `resume`.
    Pause {
        /// The container.
        id: String,
    },
    /// Let a paused container go on.
    Resume {
        /// The container.
        id: String,
    },
    /// Print the processes.
    Ps(PsOptions),
    /// Print what happens to a container.
    Events(EventsOptions),
    /// Print what containers use.
    Stats(StatsOptions),
    /// Print the state.
    State {
        /// The container.
        id: String,
    },
    /// Send a signal.
    Kill(KillOptions),
    /// Wait for its end and print its exit status.
    Wait {
        /// The container.
        id: String,
    },
    /// Remove a container.
    Delete {
        /// The container.
        id: String,
        /// Kill it first if it runs; a container that does not exist is no error.
        force: bool,
    },
    /// List the containers.
    List(ListOptions),
    /// Write a config.json.
    Spec(SpecOptions),
    /// Print what is supported.
    Features,
    /// Print what a bundle would do.
    Plan(PlanOptions),
    /// Run another program in a container.
    Exec(Box<ExecOptions>),
    /// Change the limits of a container.
    Update(UpdateOptions),
}

/// Where the configuration is read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Config {
    /// `config.json` in the bundle.
    InBundle,
    /// `--config FILE`, relative to the working directory.
    File(PathBuf),
    /// `--config -`
    Stdin,
}

/// Flags of `create`, shared by `run`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateOptions {
    /// The new container.
    pub id: String,
    /// `--bundle`, by default `.`
    pub bundle: PathBuf,
    /// `--config`
    pub config: Config,
    /// `--console-socket`: an AF_UNIX socket that gets the terminal's master end.
    pub console_socket: Option<PathBuf>,
    /// `--pidfd-socket`: an AF_UNIX socket that gets a pidfd of the container's first process.
    pub pidfd_socket: Option<PathBuf>,
    /// `--pid-file`: gets the pid of the container's first process.
    pub pid_file: Option<PathBuf>,
    /// `--no-pivot`: MS_MOVE and chroot(2) instead of pivot_root(2).
    pub no_pivot: bool,
    /// `--no-new-keyring`: keep the caller's session keyring.
    pub no_new_keyring: bool,
    /// `--preserve-fds`: how many fds from 3 on are handed on, besides those of `$LISTEN_FDS`.
    pub preserve_fds: u32,
}

/// Flags of `run`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunOptions {
    /// Those of `create`.
    pub create: CreateOptions,
    /// `--detach`: return as soon as the program runs.
    pub detach: bool,
    /// `--keep`: do not delete the container when it has ended.
    pub keep: bool,
    /// `--no-subreaper`: do not become the reaper of orphans (PR_SET_CHILD_SUBREAPER).
    pub no_subreaper: bool,
}

/// Flags of `kill`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KillOptions {
    /// The container.
    pub id: String,
    /// Signal number, 0 to 64; 0 only asks whether the process is there (kill(2)).
    pub signal: i32,
    /// `--all`: every process of the container.
    pub all: bool,
}

/// Flags of `list`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListOptions {
    /// `--format`
    pub format: ListFormat,
    /// `--quiet`: ids only.
    pub quiet: bool,
}

/// `--format` of `list`, `ps` and `stats`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListFormat {
    /// Columns for people.
    Table,
    /// An array of objects.
    Json,
}

/// Flags of `ps`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PsOptions {
    /// The container.
    pub id: String,
    /// `--format`
    pub format: ListFormat,
    /// What the host's ps(1) is called with.
    pub ps: Vec<OsString>,
}

/// Flags of `events`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventsOptions {
    /// The container.
    pub id: String,
    /// `--stats`: once, and no more.
    pub once: bool,
    /// `--interval`, not 0.
    pub interval: Duration,
}

/// Flags of `stats`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatsOptions {
    /// The containers; none: all.
    pub ids: Vec<String>,
    /// `--format`
    pub format: ListFormat,
}

/// Flags of `spec`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecOptions {
    /// `--bundle`, by default `.`
    pub bundle: PathBuf,
    /// `--rootless`: a configuration that needs no privileges.
    pub rootless: bool,
    /// Where it is written.
    pub output: SpecOutput,
}

/// Where `spec` writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SpecOutput {
    /// A new file, relative to the bundle.
    File(PathBuf),
    /// `--file -`
    Stdout,
}

/// Flags of `plan`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanOptions {
    /// The name the container would have.
    pub id: Option<String>,
    /// `--bundle`, by default `.`
    pub bundle: PathBuf,
    /// `--config`
    pub config: Config,
    /// `--format`
    pub format: PlanFormat,
}

/// `plan --format`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlanFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// What `exec` runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExecProcess {
    /// `--process FILE`: a file with the JSON of `process` (config.md).
    File(PathBuf),
    /// argv, never empty.
    Command(Vec<OsString>),
}

/// `exec --user UID[:GID]`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExecUser {
    /// User id in the container.
    pub uid: u32,
    /// Group id in the container; `None` keeps the one of the configuration.
    pub gid: Option<u32>,
}

/// What the program of `exec` waits for when all else is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExecWait {
    /// Nothing.
    No,
    /// `--exec-wait-fifo`: somebody opens this fifo for reading.
    Fifo(PathBuf),
    /// `--exec-wait-pidfd`: who got the pidfd sends a byte.
    Receiver,
}

/// Flags of `exec`. What is absent is as in the container's configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecOptions {
    /// The container.
    pub id: String,
    /// What to run.
    pub process: ExecProcess,
    /// `--detach`: return as soon as the program runs.
    pub detach: bool,
    /// `--pid-file`: gets the pid of the new process.
    pub pid_file: Option<PathBuf>,
    /// `--tty`: give the program a terminal.
    pub tty: bool,
    /// `--console-socket`: an AF_UNIX socket that gets the terminal's master end.
    pub console_socket: Option<PathBuf>,
    /// `--pidfd-socket`: an AF_UNIX socket that gets a pidfd of the new process.
    pub pidfd_socket: Option<PathBuf>,
    /// `--cwd`
    pub cwd: Option<PathBuf>,
    /// `--env`, each `NAME=value`; added to the environment of the configuration.
    pub env: Vec<OsString>,
    /// `--user`
    pub user: Option<ExecUser>,
    /// `--additional-gids`
    pub additional_gids: Vec<u32>,
    /// `--cap`: names as given, added to the sets of the configuration.
    pub caps: Vec<String>,
    /// `--no-new-privs`
    pub no_new_privs: bool,
    /// `--preserve-fds`: how many fds from 3 on are handed on, besides those of `$LISTEN_FDS`.
    pub preserve_fds: u32,
    /// `--cgroup`, each `PATH` or `CONTROLLER[,CONTROLLER]:PATH` (cgroup v1), below the container's.
    pub cgroup: Vec<SubCgroup>,
    /// `--exec-wait-fifo`, `--exec-wait-pidfd`
    pub wait: ExecWait,
    /// `--ignore-paused`: do not refuse a paused container.
    pub ignore_paused: bool,
    /// `--process-label` (SELinux)
    pub process_label: Option<String>,
    /// `--apparmor`
    pub apparmor: Option<String>,
}

/// What `update` does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateOptions {
    /// The container.
    pub id: String,
    /// Its new limits.
    pub limits: NewLimits,
    /// `--l3-cache-schema`: those of its class in resctrl.
    pub l3_cache_schema: Option<String>,
    /// `--mem-bw-schema`
    pub mem_bw_schema: Option<String>,
}

/// Where `update` takes the limits from; what is not there is not changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NewLimits {
    /// `--resources FILE`: the JSON of `linux.resources` (config-linux.md).
    File(PathBuf),
    /// `--resources -`
    Stdin,
    /// A flag for each.
    Flags(Box<Resources>),
}
