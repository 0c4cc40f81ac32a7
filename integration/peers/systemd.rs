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
    (Kind::Runc, "what_is_idle_no_longer_stays_so", Fails("ignores idle")),
    (
        Kind::Runc,
        "a_quota_stays_exact_when_something_else_is_changed",
        Fails("leaves what systemd has rounded"),
    ),
    (Kind::Crun, "an_empty_slice_is_that_of_the_system", Fails("takes the empty name")),
    (Kind::Crun, "an_annotation_is_a_property_of_the_scope", Fails("knows no typed empty list")),
    (Kind::Crun, "a_runtime_that_is_killed_at_any_moment_leaves_no_unit", NotRun("depends on the moment")),
    (
        Kind::Crun,
        "without_a_path_the_scope_has_the_name_of_the_container",
        Fails("puts the container into a group below that of the scope"),
    ),
    (
        Kind::Crun,
        "a_container_is_a_scope_of_the_user",
        Fails("puts the container into a group below that of the scope"),
    ),
    (
        Kind::Crun,
        "from_outside_of_the_users_units_systemd_moves_the_container",
        Fails("puts the container into a group below that of the scope"),
    ),
    (
        Kind::Crun,
        "slices_nest_by_their_names",
        Fails("puts the container into a group below that of the scope"),
    ),
    (
        Kind::Crun,
        "a_container_is_a_scope_in_its_slice",
        Fails("puts the container into a group below that of the scope"),
    ),
    (
        Kind::Crun,
        "containers_that_are_made_at_the_same_time_have_scopes_of_their_own",
        Fails("puts the container into a group below that of the scope"),
    ),
    (Kind::Crun, "the_limits_are_properties_of_the_scope", Fails("takes memory+swap for swap alone")),
    (
        Kind::Crun,
        "what_unified_says_is_a_property_too",
        Fails("tells no period, and not all files of unified"),
    ),
    (
        Kind::Crun,
        "a_program_that_is_executed_is_in_the_scope_of_the_user",
        Fails("cannot enter the cgroup from outside of the user's units"),
    ),
];
