//! The commands that use the cgroups of a container.

use super::{Count, ID, Kind, Verb, operand, switch, value};

pub(super) const PAUSE: Verb = Verb {
    kind: Kind::Pause,
    name: "pause",
    about: "Stop all processes of a container",
    usage: "ID",
    operands: &[ID],
    flags: &[],
    notes: "\
They do not run, and keep what they have, until `tierce resume`. A paused container can be killed
and deleted.

Example:
  tierce pause web && tierce state web | jq -r .status
",
};

pub(super) const RESUME: Verb = Verb {
    kind: Kind::Resume,
    name: "resume",
    about: "Let a paused container go on",
    usage: "ID",
    operands: &[ID],
    flags: &[],
    notes: "Example:\n  tierce resume web\n",
};

pub(super) const PS: Verb = Verb {
    kind: Kind::Ps,
    name: "ps",
    about: "Show the processes of a container",
    usage: "[OPTIONS] ID [PS_OPTIONS]...",
    operands: &[ID, operand("PS_OPTIONS", Count::Rest, "Options of the host's ps(1) (default: -ef)")],
    flags: &[value("f", "format", "FORMAT", "table, or json: the pids alone (default: table)")],
    notes: "\
All processes in the cgroups of the container, with their pids on the host. The table is what the
host's ps prints of them; its options must ask for the column PID.

Examples:
  tierce ps web
  tierce ps web -o pid,rss,args
  tierce ps --format json web
",
};

pub(super) const STATS: Verb = Verb {
    kind: Kind::Stats,
    name: "stats",
    about: "Show what containers use",
    usage: "[OPTIONS] [ID]...",
    operands: &[operand("ID", Count::Rest, "Name of a container (default: all)")],
    flags: &[value("f", "format", "FORMAT", "table or json (default: table)")],
    notes: "\
CPU is the time on all CPUs, THROTTLED the time without for a quota; OOM counts processes that were
killed for lack of memory; PRESSURE is how much of the last 10 s some of it waited for cpu, memory
and io. JSON has bytes and nanoseconds, and null where there is no limit.

Examples:
  tierce stats
  tierce stats web db
  tierce stats --format json web | jq .[0].memory.peak
",
};

pub(super) const EVENTS: Verb = Verb {
    kind: Kind::Events,
    name: "events",
    about: "Print what a container uses and when it lacks memory, as JSON",
    usage: "[OPTIONS] ID",
    operands: &[ID],
    flags: &[
        value("", "interval", "DURATION", "Time between two lines, such as 500ms or 1m (default: 5s)"),
        switch("", "stats", "Print what it has used up to now and end"),
    ],
    notes: "\
A line of JSON with the type stats each time, and one with the type oom when processes were killed for
lack of memory, with the cgroup whose limit was hit; until the container ends.

Examples:
  tierce events --stats web | jq .data.memory.usage
  tierce events --interval 1s web
",
};
