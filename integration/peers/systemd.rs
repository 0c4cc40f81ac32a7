//! The differences of the chapters on systemd.

use super::Expectation::{Fails, NotRun};
use super::{Kind, Peer};

pub(super) const PEERS: &[Peer] = &[
    (Kind::Runc, "what_unified_says_is_a_property_too", Fails("1.1.15 does not know memory.oom.group")),
    (
        Kind::Runc,
        "a_reload_of_systemd_undoes_no_device_rule",
        Fails("leaves rules for devices without a driver out"),
    ),
    (
        Kind::Runc,
        "a_program_that_is_executed_is_in_the_scope_of_the_user",
        Fails("cannot enter the cgroup from outside of the user's units"),
    ),
    (Kind::Runc, "a_runtime_that_is_killed_at_any_moment_leaves_no_unit", NotRun("depends on the moment")),
    (Kind::Crun, "an_empty_slice_is_that_of_the_system", Fails("takes the empty name")),
    (Kind::Crun, "an_annotation_is_a_property_of_the_scope", Fails("knows no typed empty list")),
    (Kind::Crun, "a_runtime_that_is_killed_at_any_moment_leaves_no_unit", NotRun("depends on the moment")),
];
