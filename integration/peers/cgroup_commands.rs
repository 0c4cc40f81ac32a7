//! The differences of the chapters on the commands that use a container's cgroups.

use super::Expectation::{Fails, FailsWithCgroupV1, NotRun};
use super::{Kind, Peer};

pub(super) const PEERS: &[Peer] = &[
    // pause
    (
        Kind::Runc,
        "a_signal_to_all_leaves_a_paused_container_paused",
        Fails("`kill --all` resumes the container"),
    ),
    (
        Kind::Crun,
        "a_signal_to_all_leaves_a_paused_container_paused",
        Fails("`kill --all` resumes the container"),
    ),
    (
        Kind::Crun,
        "a_container_that_forks_can_be_paused",
        NotRun("with cgroup v1 `pause` does not wait until all have stopped"),
    ),
    (Kind::Crun, "exec_in_a_paused_container_is_refused", Fails("says so in other words")),
    (Kind::Crun, "exec_that_ignores_the_pause_waits_for_its_end", Fails("has no --ignore-paused")),
    (
        Kind::Crun,
        "a_created_container_can_be_paused_and_started_later",
        Fails("says `created` of a created container that is paused"),
    ),
    (Kind::Crun, "only_a_running_container_can_be_paused", Fails("pauses a paused container")),
    (Kind::Crun, "only_a_paused_container_can_be_resumed", Fails("resumes a running container")),
    (
        Kind::Crun,
        "a_paused_container_can_be_killed",
        FailsWithCgroupV1("does not resume what it kills, and a process that v1 has frozen cannot end"),
    ),
];
