//! The differences of the chapters on `exec` and on supervision.

use super::Expectation::{Fails, NotRun};
use super::{Kind, Peer};

const NO_HOLD: &str = "has no --exec-wait-fifo and no --exec-wait-pidfd";
const NO_PIDFD: &str = "has no --pidfd-socket in this version";

/// Rows for both, where neither has what the case is about; not run, because some would wait for long.
macro_rules! neither {
    ($($why:ident: $($name:ident)*;)*) => {
        &[$($(
            (Kind::Runc, stringify!($name), NotRun($why)),
            (Kind::Crun, stringify!($name), NotRun($why)),
        )*)*]
    };
}

pub(super) const NEITHER: &[Peer] = neither! {
    NO_PIDFD:
        a_pidfd_of_init_is_sent_by_create
        a_pidfd_of_init_is_sent_by_run_in_the_foreground_and_detached
        a_pidfd_is_sent_by_exec
        the_path_of_a_pidfd_socket_may_be_long
        without_a_receiver_of_the_pidfd_nothing_is_executed;
    NO_HOLD:
        a_held_program_runs_when_its_fifo_is_opened
        a_held_process_is_on_record_and_in_the_container
        a_held_program_runs_as_a_user_who_could_not_open_the_fifo
        a_held_program_runs_in_a_user_namespace
        opening_the_fifo_is_enough
        a_fifo_that_is_open_already_holds_nothing_back
        the_exit_status_of_a_held_program_reaches_a_caller_in_the_foreground
        a_held_program_that_is_missing_is_told_to_a_caller_in_the_foreground
        a_signal_ends_the_wait_in_the_foreground
        a_fifo_that_is_removed_ends_the_process
        what_is_no_fifo_is_refused
        a_held_process_ends_with_its_container
        a_program_held_by_its_pidfd_runs_at_a_word
        a_program_held_by_its_pidfd_never_runs_without_its_receiver
        a_hold_by_pidfd_needs_a_receiver
        an_ordinary_user_holds_a_program;
};

pub(super) const PEERS: &[Peer] = &[
    // exec_cgroups
    (
        Kind::Runc,
        "a_cgroup_without_processors_is_an_error_that_says_so",
        Fails("says only `no space left on device`"),
    ),
    (
        Kind::Runc,
        "a_controller_that_is_not_there_is_an_error",
        Fails("takes an empty name before the colon for no controller"),
    ),
    (Kind::Runc, "a_cgroup_that_leads_out_is_refused", Fails("takes `sub/..` for the container's own")),
    (
        Kind::Runc,
        "two_cgroups_of_one_hierarchy_exclude_each_other",
        Fails("wants a controller before the path where there are two"),
    ),
    (
        Kind::Crun,
        "exec_enters_a_cgroup_of_one_controller",
        Fails("takes the controller for a part of the name"),
    ),
    (
        Kind::Crun,
        "exec_enters_cgroups_of_several_controllers",
        Fails("takes the controller for a part of the name"),
    ),
    (Kind::Crun, "a_cgroup_that_is_not_there_is_an_error_and_is_not_made", Fails("makes it")),
    (
        Kind::Crun,
        "a_controller_that_is_not_there_is_an_error",
        Fails("takes the controller for a part of the name"),
    ),
    (
        Kind::Crun,
        "a_cgroup_without_processors_is_an_error_that_says_so",
        Fails("takes the controller for a part of the name"),
    ),
    (Kind::Crun, "a_link_among_cgroups_is_not_followed", Fails("makes cgroups of all parts of the path")),
    (Kind::Crun, "a_cgroup_that_leads_out_is_refused", Fails("enters the cgroup above the container's")),
    (Kind::Crun, "two_cgroups_of_one_hierarchy_exclude_each_other", Fails("takes the last one")),
];
