//! The differences of the chapters on `exec` and on supervision.

use super::Expectation::{Fails, NotRun};
use super::{Kind, Peer};

const NO_HOLD: &str = "has no --exec-wait-fifo and no --exec-wait-pidfd";
const NO_WAIT: &str = "has no `wait`";
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
    NO_WAIT:
        wait_prints_the_exit_status_of_the_program
        wait_prints_128_and_the_number_of_a_signal
        what_one_wait_has_seen_is_known_to_later_ones
        many_wait_for_one_container
        wait_for_a_created_container_lasts_until_it_has_run
        wait_sees_the_status_of_a_container_that_nobody_has_reaped
        run_with_keep_records_the_exit_status
        a_status_that_nobody_saw_is_not_invented
        wait_for_a_container_that_does_not_exist_is_an_error
        wait_goes_on_while_the_container_is_deleted
        an_ordinary_user_waits_for_its_container
        the_script_of_the_documentation_supervises_a_container;
};

pub(super) const PEERS: &[Peer] = &[
    (Kind::Runc, "a_user_is_what_was_written_or_an_error", Fails("knows no ids above 2147483647")),
    (
        Kind::Runc,
        "exec_in_a_container_that_is_ending_is_an_error_that_says_so",
        NotRun("names a namespace file that is gone; depends on the moment"),
    ),
    // exec
    (
        Kind::Runc,
        "an_ordinary_user_is_told_what_keeps_it_out_of_a_created_container",
        Fails("lets it in: its init is dumpable, so programs of the container could trace it"),
    ),
    (
        Kind::Crun,
        "an_ordinary_user_is_told_what_keeps_it_out_of_a_created_container",
        Fails("says only that the operation is not permitted"),
    ),
    // pause
    (
        Kind::Runc,
        "a_signal_ends_an_exec_that_waits_for_the_end_of_the_pause",
        NotRun("would wait for long: keeps signals for the program that is to come"),
    ),
    (
        Kind::Crun,
        "a_signal_ends_an_exec_that_waits_for_the_end_of_the_pause",
        NotRun("executes in a paused container, with no process to be seen in it"),
    ),
    // terminal_jobs
    (
        Kind::Runc,
        "signals_work_though_nobody_reads_the_terminal",
        Fails("removes the container, and so has no state of it, while it waits for a reader"),
    ),
    (
        Kind::Crun,
        "signals_work_though_nobody_reads_the_terminal",
        NotRun("would wait for long: goes on waiting for a reader"),
    ),
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
    // supervision
    (
        Kind::Runc,
        "a_pid_file_replaces_a_link_and_writes_through_none",
        Fails("refuses a link that stands where its temporary file is to be"),
    ),
    (Kind::Crun, "a_pid_file_replaces_a_link_and_writes_through_none", Fails("writes through the link")),
    (
        Kind::Crun,
        "a_pid_file_is_whole_whenever_it_is_there",
        NotRun("writes it in place: sometimes it is seen empty"),
    ),
    // activation
    (Kind::Runc, "the_names_of_the_sockets_are_handed_on", Fails("hands no names on")),
    (Kind::Runc, "the_pid_is_right_without_a_pid_namespace", Fails("says always 1")),
    (Kind::Runc, "sockets_are_handed_on_to_an_executed_program", Fails("hands none on to `exec`")),
    (Kind::Runc, "sockets_that_are_not_there_are_an_error", Fails("hands on what there is")),
    (Kind::Crun, "the_names_of_the_sockets_are_handed_on", Fails("hands the fds on, but not $LISTEN_FDS")),
    (Kind::Crun, "the_pid_is_right_without_a_pid_namespace", Fails("hands the fds on, but not $LISTEN_FDS")),
    (
        Kind::Crun,
        "sockets_of_the_caller_are_handed_on_with_the_pid_of_the_program",
        Fails("hands the fds on, but not $LISTEN_FDS"),
    ),
    (
        Kind::Crun,
        "sockets_are_handed_on_to_an_executed_program",
        Fails("hands the fds on, but not $LISTEN_FDS"),
    ),
    (Kind::Crun, "preserved_files_follow_the_sockets", Fails("hands the fds on, but not $LISTEN_FDS")),
    (
        Kind::Crun,
        "the_configuration_does_not_choose_the_sockets",
        Fails("hands the fds on, but not $LISTEN_FDS"),
    ),
    (Kind::Crun, "sockets_are_handed_on_by_create", NotRun("hands the fds on, but not $LISTEN_FDS")),
    (
        Kind::Crun,
        "sockets_that_are_meant_for_somebody_else_stay_with_the_caller",
        Fails("does not look at $LISTEN_PID"),
    ),
    (Kind::Crun, "sockets_without_a_pid_stay_with_the_caller", Fails("does not look at $LISTEN_PID")),
    (Kind::Crun, "sockets_that_are_not_there_are_an_error", Fails("hands on what there is")),
    // notify
    (Kind::Runc, "the_socket_of_the_manager_may_have_a_long_path", Fails("takes paths of 107 bytes")),
    (Kind::Runc, "a_manager_that_is_not_there_is_an_error", Fails("runs the container all the same")),
    (Kind::Runc, "start_waits_until_the_container_is_ready", NotRun("passes nothing on before `READY=1`")),
    (
        Kind::Runc,
        "run_in_the_foreground_carries_all_that_the_container_says",
        NotRun("passes nothing on after `READY=1`"),
    ),
    (Kind::Runc, "only_what_is_for_the_manager_is_passed_on", NotRun("passes nothing on but `READY=1`")),
    (
        Kind::Runc,
        "a_user_in_the_container_notifies",
        NotRun("waits until the container is ready, in the foreground too"),
    ),
    (
        Kind::Crun,
        "run_in_the_foreground_carries_all_that_the_container_says",
        NotRun("puts the socket where the host has it, under another name"),
    ),
    (
        Kind::Crun,
        "a_detached_run_waits_until_the_container_is_ready",
        NotRun("puts the socket where the host has it, under another name"),
    ),
    (
        Kind::Crun,
        "a_user_in_the_container_notifies",
        NotRun("puts the socket where the host has it, under another name"),
    ),
    (
        Kind::Crun,
        "start_waits_until_the_container_is_ready",
        NotRun("puts the socket where the host has it, under another name"),
    ),
    (
        Kind::Crun,
        "only_what_is_for_the_manager_is_passed_on",
        NotRun("puts the socket where the host has it, under another name"),
    ),
    (
        Kind::Crun,
        "a_container_in_a_user_namespace_notifies",
        NotRun("puts the socket where the host has it, under another name"),
    ),
    (
        Kind::Crun,
        "the_socket_of_the_manager_may_have_a_long_path",
        NotRun("puts the socket where the host has it, under another name"),
    ),
    (
        Kind::Crun,
        "the_socket_of_the_manager_may_be_an_abstract_one",
        NotRun("puts the socket where the host has it, under another name"),
    ),
    (Kind::Crun, "a_manager_that_is_not_there_is_an_error", Fails("runs the container all the same")),
    // terminals
    (Kind::Runc, "ten_megabytes_of_output_arrive", Fails("leaves the caller's terminal to change line ends")),
    (
        Kind::Runc,
        "ten_megabytes_of_the_output_of_an_executed_program_arrive",
        Fails("leaves the caller's terminal to change line ends"),
    ),
    (Kind::Runc, "output_of_all_bytes_arrives", Fails("leaves the caller's terminal to change line ends")),
    (Kind::Runc, "the_end_of_the_input_is_that_of_the_terminal", Fails("needs a terminal of the caller's")),
    (Kind::Runc, "a_call_that_was_stopped_takes_the_terminal_again", NotRun("does not make it raw again")),
    (
        Kind::Runc,
        "a_call_in_the_background_leaves_the_terminal_alone",
        NotRun("makes it raw from the background"),
    ),
    (
        Kind::Runc,
        "a_resize_reaches_an_executed_program",
        NotRun("sets the size after it has let the program run"),
    ),
    (
        Kind::Runc,
        "a_console_socket_without_a_terminal_is_refused",
        Fails("fails without a word of the terminal"),
    ),
    (Kind::Crun, "the_end_of_the_input_is_that_of_the_terminal", Fails("needs a terminal of the caller's")),
    (Kind::Crun, "a_call_that_was_stopped_takes_the_terminal_again", NotRun("does not make it raw again")),
    (
        Kind::Crun,
        "a_call_in_the_background_leaves_the_terminal_alone",
        NotRun("makes it raw from the background"),
    ),
    (
        Kind::Crun,
        "a_resize_reaches_an_executed_program",
        NotRun("sets the size after it has let the program run"),
    ),
    (Kind::Crun, "a_console_socket_without_a_terminal_is_refused", Fails("ignores it")),
    (Kind::Runc, "the_path_of_a_console_socket_may_be_long", Fails("takes paths of 107 bytes")),
    (
        Kind::Crun,
        "keys_stop_and_interrupt_the_jobs_of_a_shell",
        NotRun("does not always restore all modes of the terminal"),
    ),
    (
        Kind::Crun,
        "keys_stop_and_interrupt_the_jobs_of_an_executed_shell",
        NotRun("does not always restore all modes of the terminal"),
    ),
    // terminal_jobs
    (
        Kind::Runc,
        "a_signal_beside_the_end_of_the_program_is_for_its_caller",
        NotRun("would wait for long: goes on waiting for a reader"),
    ),
    (
        Kind::Crun,
        "a_signal_beside_the_end_of_the_program_is_for_its_caller",
        NotRun("would wait for long: goes on waiting for a reader"),
    ),
    // console_socket
    (
        Kind::Crun,
        "the_console_of_an_executed_program_has_the_size_of_its_process",
        Fails("does not look at consoleSize in `exec --process`"),
    ),
    // exec
    (
        Kind::Crun,
        "a_user_is_what_was_written_or_an_error",
        Fails("a uid without a gid has the gid 0, not that of the container"),
    ),
    (
        Kind::Crun,
        "exec_in_a_container_that_is_ending_is_an_error_that_says_so",
        NotRun("depends on the moment: may say `Broken pipe`"),
    ),
];
