//! The flags and operands of every command, with their help: data only.

mod cgroup;

use super::update::UPDATE;

/// What follows a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    /// Nothing: it is on or off.
    Nothing,
    /// A value of this name; the last one counts.
    Value(&'static str),
    /// A value of this name, each time; all count.
    Values(&'static str),
}

/// One flag.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flag {
    /// The name behind `--`.
    pub(super) long: &'static str,
    /// The letters it is also known by; help shows the first.
    pub(super) short: &'static str,
    pub(super) takes: Takes,
    /// Empty for a flag that other runtimes have and this release refuses.
    pub(super) help: &'static str,
}

impl Flag {
    pub(super) fn is_to_come(&self) -> bool {
        self.help.is_empty()
    }
}

/// How often an operand stands there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Count {
    /// It must.
    One,
    /// It may be absent.
    Optional,
    /// It takes all that follows, unread.
    Rest,
}

/// One operand.
#[derive(Debug, Clone, Copy)]
pub(super) struct Operand {
    pub(super) name: &'static str,
    pub(super) count: Count,
    pub(super) help: &'static str,
}

/// Which command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Create,
    Delete,
    Events,
    Exec,
    Features,
    Kill,
    List,
    Pause,
    Plan,
    Ps,
    Resume,
    Run,
    Spec,
    Start,
    State,
    Stats,
    Update,
    Wait,
}

/// One command.
#[derive(Debug, Clone, Copy)]
pub(super) struct Verb {
    pub(super) kind: Kind,
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    /// What stands behind the name, in the notation of man pages.
    pub(super) usage: &'static str,
    pub(super) operands: &'static [Operand],
    pub(super) flags: &'static [Flag],
    /// Below the options in the help.
    pub(super) notes: &'static str,
}

pub(super) const fn switch(short: &'static str, long: &'static str, help: &'static str) -> Flag {
    Flag { long, short, takes: Takes::Nothing, help }
}

pub(super) const fn value(
    short: &'static str,
    long: &'static str,
    name: &'static str,
    help: &'static str,
) -> Flag {
    Flag { long, short, takes: Takes::Value(name), help }
}

pub(super) const fn values(
    short: &'static str,
    long: &'static str,
    name: &'static str,
    help: &'static str,
) -> Flag {
    Flag { long, short, takes: Takes::Values(name), help }
}

pub(super) const fn operand(name: &'static str, count: Count, help: &'static str) -> Operand {
    Operand { name, count, help }
}

const BUNDLE: Flag =
    value("b", "bundle", "DIR", "Directory with config.json and the root filesystem (default: .)");
const CONFIG: Flag =
    value("f", "config", "FILE", "Read this file, not config.json of the bundle; - is stdin");
const CONSOLE_SOCKET: Flag =
    value("", "console-socket", "PATH", "Unix socket to send the terminal's master end to");
const PID_FILE: Flag = value("", "pid-file", "FILE", "Write the pid of the container's first process here");
const NO_PIVOT: Flag = switch("", "no-pivot", "Do not use pivot_root(2); for a rootfs on an initramfs");
const NO_NEW_KEYRING: Flag = switch("", "no-new-keyring", "Keep the caller's session keyring");
const PRESERVE_FDS: Flag = value("", "preserve-fds", "N", "Hand on N fds, from 3 on, besides $LISTEN_FDS");
const DETACH: Flag = switch("d", "detach", "Return as soon as the program runs");
const PIDFD_SOCKET: Flag =
    value("", "pidfd-socket", "PATH", "Unix socket to send a pidfd of the container's first process to");
const REGEX: Flag = switch("r", "regex", "");
pub(super) const ID: Operand = operand("ID", Count::One, "Name of the container");
const NEW_ID: Operand = operand("ID", Count::One, "Name for the new container; unique below --root");

/// Flags of every command.
pub(super) const HELP: Flag = switch("h", "help", "Show this help");

/// Flags before the command.
pub(super) const GLOBAL: &[Flag] = &[
    value("", "root", "DIR", "State of containers (default: /run/tierce; users: $XDG_RUNTIME_DIR/tierce)"),
    value("", "log", "FILE", "Append messages to FILE; errors also go to stderr"),
    value("", "log-format", "FORMAT", "text or json (default: text)"),
    value("", "log-level", "LEVEL", "error, warning, info or debug (default: warning)"),
    switch("", "debug", "The same as --log-level debug"),
    value("", "cgroup-manager", "NAME", "cgroupfs, systemd or disabled (default: cgroupfs)"),
    switch("", "systemd-cgroup", "The same as --cgroup-manager systemd"),
    value("", "rootless", "WHEN", "Tolerate missing cgroup permissions: true, false or auto (default: auto)"),
    switch("vV", "version", "Show the version"),
];

/// Commands of other runtimes that this release refuses by name.
pub const COMMANDS_TO_COME: &[&str] = &["checkpoint", "restore", "mounts"];

/// The commands, in the order of the help.
pub(super) const COMMANDS: &[Verb] = &[
    RUN,
    CREATE,
    START,
    STATE,
    KILL,
    WAIT,
    DELETE,
    LIST,
    EXEC,
    cgroup::PS,
    cgroup::STATS,
    cgroup::EVENTS,
    cgroup::PAUSE,
    cgroup::RESUME,
    UPDATE,
    SPEC,
    PLAN,
    FEATURES,
];

const RUN: Verb = Verb {
    kind: Kind::Run,
    name: "run",
    about: "Create a container, start it and wait for its end",
    usage: "[OPTIONS] ID",
    operands: &[NEW_ID],
    flags: &[
        BUNDLE,
        CONFIG,
        DETACH,
        switch("", "keep", "Do not delete the container when it has ended"),
        PID_FILE,
        CONSOLE_SOCKET,
        PRESERVE_FDS,
        NO_PIVOT,
        NO_NEW_KEYRING,
        switch("", "no-subreaper", "Do not become the parent of the container's orphans"),
        PIDFD_SOCKET,
    ],
    notes: "\
The exit status is that of the container's program, or 128 plus the number of the signal that
ended it. Interrupts and other signals are passed on to it.

Examples:
  tierce run box                         the bundle in this directory, with its terminal
  tierce run -b /srv/web -d web          in the background; `tierce kill web` ends it
  tierce run -b /srv/web -f test.json t  the same bundle, configured by ./test.json
",
};

const CREATE: Verb = Verb {
    kind: Kind::Create,
    name: "create",
    about: "Create a container that waits for `tierce start`",
    usage: "[OPTIONS] ID",
    operands: &[NEW_ID],
    flags: &[BUNDLE, CONFIG, PID_FILE, CONSOLE_SOCKET, PRESERVE_FDS, NO_PIVOT, NO_NEW_KEYRING, PIDFD_SOCKET],
    notes: "\
Everything is set up, and errors are told, before this returns; only the program does not run yet.

Examples:
  tierce create -b /srv/web web
  tierce create -b /srv/web --pid-file /run/web.pid web && tierce start web
",
};

const START: Verb = Verb {
    kind: Kind::Start,
    name: "start",
    about: "Let a created container run its program",
    usage: "ID",
    operands: &[ID],
    flags: &[],
    notes: "Example:\n  tierce create -b /srv/web web && tierce start web\n",
};

const STATE: Verb = Verb {
    kind: Kind::State,
    name: "state",
    about: "Print the state of a container as JSON",
    usage: "ID",
    operands: &[ID],
    flags: &[],
    notes: "\
The status is creating, created, running, paused or stopped.

Example:
  tierce state web | jq -r .status
",
};

const KILL: Verb = Verb {
    kind: Kind::Kill,
    name: "kill",
    about: "Send a signal to a container",
    usage: "[OPTIONS] ID [SIGNAL]",
    operands: &[
        ID,
        operand("SIGNAL", Count::Optional, "Name or number: TERM, SIGTERM, 15, RTMIN+3 (default: TERM)"),
    ],
    flags: &[switch("a", "all", "Send it to every process of the container, not only to the first"), REGEX],
    notes: "\
Examples:
  tierce kill web            ask it to end
  tierce kill web KILL       end it
  tierce kill --all web HUP
",
};

const WAIT: Verb = Verb {
    kind: Kind::Wait,
    name: "wait",
    about: "Wait for the end of a container and print its exit status",
    usage: "ID",
    operands: &[ID],
    flags: &[],
    notes: "\
The status that is printed is that of the container's first program, or 128 plus the number of the signal
that ended it. It is known to who waits before that program ends (from Linux 6.15 on; before, as long as
its parent has not taken the status), to later calls then, too, and of `tierce run --keep`.

Examples:
  tierce wait web
  status=$(tierce wait web) && tierce delete web
",
};

const DELETE: Verb = Verb {
    kind: Kind::Delete,
    name: "delete",
    about: "Remove what is left of a container",
    usage: "[OPTIONS] ID",
    operands: &[ID],
    flags: &[switch("f", "force", "Kill it first if it still runs; no error if it does not exist"), REGEX],
    notes: "Examples:\n  tierce delete web\n  tierce delete --force web\n",
};

const LIST: Verb = Verb {
    kind: Kind::List,
    name: "list",
    about: "List the containers",
    usage: "[OPTIONS]",
    operands: &[],
    flags: &[
        value("f", "format", "FORMAT", "table or json (default: table)"),
        switch("q", "quiet", "Print only the ids"),
    ],
    notes: "\
Examples:
  tierce list
  tierce --root /run/other list --format json
",
};

const EXEC: Verb = Verb {
    kind: Kind::Exec,
    name: "exec",
    about: "Run another program in a running container",
    usage: "[OPTIONS] ID COMMAND [ARGS]...",
    operands: &[
        ID,
        operand("COMMAND", Count::Rest, "The program and its arguments; what follows ID is its own"),
    ],
    flags: &[
        value("p", "process", "FILE", "Take the program from this JSON file, not from COMMAND"),
        DETACH,
        value("", "pid-file", "FILE", "Write the pid of the program here"),
        switch("t", "tty", "Give the program a terminal"),
        CONSOLE_SOCKET,
        value("", "pidfd-socket", "PATH", "Unix socket to send a pidfd of the program to"),
        switch("", "exec-wait-pidfd", "Run the program when who got its pidfd has sent a byte"),
        value("", "exec-wait-fifo", "FILE", "Run the program when somebody opens this fifo for reading"),
        value("", "cwd", "DIR", "Working directory in the container"),
        values("e", "env", "NAME=VALUE", "Set an environment variable; may be repeated"),
        value("u", "user", "UID[:GID]", "Numeric user and group in the container"),
        values("g", "additional-gids", "GID", "Additional numeric group; may be repeated"),
        values("c", "cap", "CAP", "Add a capability; may be repeated"),
        switch("", "no-new-privs", "Set no_new_privs: setuid programs gain nothing"),
        PRESERVE_FDS,
        values("", "cgroup", "PATH", "Sub-cgroup of the container, [CONTROLLER:]PATH; may be repeated"),
        switch("", "ignore-paused", "Wait for the end of a pause, rather than refuse"),
        value("", "process-label", "LABEL", "SELinux label of the program"),
        value("", "apparmor", "PROFILE", "AppArmor profile of the program"),
    ],
    notes: "\
The options stand before ID. The exit status is that of the program.

With --exec-wait-fifo or --exec-wait-pidfd the program is on record (--pid-file, --pidfd-socket) before its
first instruction. With --detach too, that it cannot be executed is told by its own exit status, 126 or 127.

Examples:
  tierce exec web ls -la /
  tierce exec -t -e TERM=xterm web sh
  tierce exec --user 1000:1000 --cwd /tmp web id
",
};

const SPEC: Verb = Verb {
    kind: Kind::Spec,
    name: "spec",
    about: "Write a config.json to start from",
    usage: "[OPTIONS]",
    operands: &[],
    flags: &[
        value("b", "bundle", "DIR", "Directory to write to (default: .)"),
        value("f", "file", "FILE", "Name of the file; - is stdout (default: config.json)"),
        switch("", "rootless", "For a user without privileges"),
    ],
    notes: "\
It runs `sh` in the directory `rootfs` of the bundle. A file that exists is not overwritten.

Examples:
  mkdir -p box/rootfs/bin && cp busybox.static box/rootfs/bin/sh
  cd box && tierce spec && tierce run box
",
};

const PLAN: Verb = Verb {
    kind: Kind::Plan,
    name: "plan",
    about: "Show what a bundle would do, and do nothing",
    usage: "[OPTIONS] [ID]",
    operands: &[operand("ID", Count::Optional, "Name the container would have")],
    flags: &[BUNDLE, CONFIG, value("", "format", "FORMAT", "text or json (default: text)")],
    notes: "\
All mistakes of the configuration are told at once.

Examples:
  tierce plan -b /srv/web
  tierce spec -f - | tierce plan -f -
",
};

const FEATURES: Verb = Verb {
    kind: Kind::Features,
    name: "features",
    about: "Print what this runtime supports, as JSON",
    usage: "",
    operands: &[],
    flags: &[],
    notes: "Example:\n  tierce features | jq .linux.cgroup\n",
};

#[cfg(test)]
mod tests {
    use super::*;

    /// `-debug` is `--debug`; that must not also be the letters d, e, b, u and g.
    #[test]
    fn no_flag_spells_the_letters_of_others() {
        for flags in COMMANDS.iter().map(|v| v.flags).chain([GLOBAL]) {
            let is_switch =
                |letter: char| flags.iter().any(|f| f.short.contains(letter) && f.takes == Takes::Nothing);
            for flag in flags {
                assert!(flag.long.len() > 1 && !flag.long.chars().all(is_switch), "{}", flag.long);
            }
        }
    }

    #[test]
    fn names_and_letters_are_single() {
        for flags in COMMANDS.iter().map(|v| v.flags).chain([GLOBAL]) {
            let all = || flags.iter().chain([&HELP]);
            let mut spellings: Vec<String> = all().map(|f| f.long.to_owned()).collect();
            spellings.extend(all().flat_map(|f| f.short.chars().map(String::from)));
            let count = spellings.len();
            spellings.sort();
            spellings.dedup();
            assert_eq!(spellings.len(), count);
        }
    }
}
