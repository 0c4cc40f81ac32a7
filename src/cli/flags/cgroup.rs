//! The commands that use the cgroups of a container.

use super::{ID, Kind, Verb};

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
