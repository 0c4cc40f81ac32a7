//! The differences of the chapters on hooks.

use super::Expectation::{Fails, NotRun};
use super::{Kind, Peer};

pub(super) const PEERS: &[Peer] = &[
    // hooks
    (
        Kind::Runc,
        "hooks_run_in_the_order_of_the_life_of_a_container",
        Fails("runs poststart hooks in `create`"),
    ),
    (
        Kind::Runc,
        "the_program_has_been_executed_when_poststart_hooks_run",
        Fails("runs poststart hooks in `create`"),
    ),
    (Kind::Runc, "poststart_hooks_are_done_when_start_returns", Fails("runs poststart hooks in `create`")),
    (
        Kind::Runc,
        "poststop_hooks_run_once_though_many_delete",
        NotRun("runs them once for each that comes at the same moment"),
    ),
    (
        Kind::Runc,
        "the_state_on_standard_input_is_that_of_the_moment",
        Fails("tells poststart hooks `created`"),
    ),
    (Kind::Runc, "a_container_is_creating_while_the_hooks_of_its_creation_run", Fails("has no state yet")),
    (
        Kind::Runc,
        "a_container_is_created_while_its_start_container_hooks_run",
        NotRun("a second `start` waits for ever"),
    ),
    (
        Kind::Crun,
        "hooks_run_in_the_order_of_the_life_of_a_container",
        NotRun("`start` does not wait for startContainer hooks"),
    ),
    (
        Kind::Crun,
        "a_read_only_root_can_still_be_written_to_by_the_first_hooks",
        Fails("makes it read-only before"),
    ),
    (
        Kind::Crun,
        "a_masked_path_stays_masked_whatever_a_hook_mounts_there",
        Fails("masks paths before the hooks run"),
    ),
    (
        Kind::Crun,
        "poststop_hooks_run_when_everything_is_gone",
        Fails("runs them before it removes cgroup and state"),
    ),
    (
        Kind::Crun,
        "poststop_hooks_run_once_though_many_delete",
        NotRun("runs them once for each that comes at the same moment"),
    ),
    (
        Kind::Crun,
        "the_state_on_standard_input_is_that_of_the_moment",
        Fails("says `created` for `creating` and `starting` for `created`"),
    ),
    (Kind::Crun, "the_pid_is_that_which_the_hook_sees", Fails("tells hooks of the container 0")),
    (
        Kind::Crun,
        "the_pid_is_the_same_inside_and_outside_without_a_pid_namespace",
        Fails("tells hooks of the container 0"),
    ),
    (Kind::Crun, "a_container_is_creating_while_the_hooks_of_its_creation_run", Fails("has no state yet")),
    (Kind::Crun, "a_container_is_created_while_its_start_container_hooks_run", Fails("says `running`")),
    // hook_programs
    (Kind::Runc, "without_an_environment_there_is_none", Fails("gives hooks the caller's environment")),
    (
        Kind::Runc,
        "the_working_directory_is_the_bundle",
        Fails("runs createContainer hooks in the root filesystem"),
    ),
    (
        Kind::Runc,
        "a_hook_has_only_its_standard_streams",
        Fails("leaves fds of its own open to createContainer hooks"),
    ),
    (Kind::Runc, "a_hook_leads_a_process_group", Fails("leaves it in its own")),
    (
        Kind::Runc,
        "what_hooks_write_is_appended_to_the_files_of_the_annotations",
        Fails("has no such annotations, which are crun's"),
    ),
    (
        Kind::Runc,
        "a_file_of_the_annotations_that_cannot_be_opened_is_an_error",
        Fails("has no such annotations, which are crun's"),
    ),
    (Kind::Runc, "a_hook_that_takes_too_long_is_killed", NotRun("waits for the children of the killed hook")),
    (Kind::Runc, "a_process_that_a_hook_leaves_behind_is_not_waited_for", NotRun("waits for it")),
    (Kind::Crun, "without_arguments_the_path_is_the_name", Fails("gives it no argv[0]")),
    (Kind::Crun, "without_an_environment_there_is_none", Fails("gives hooks the caller's environment")),
    (Kind::Crun, "a_hook_finds_no_signal_blocked_or_ignored", Fails("blocks signals and leaves them so")),
    (Kind::Crun, "a_hook_leads_a_process_group", Fails("leaves it in its own")),
    (
        Kind::Crun,
        "a_hook_need_not_read_a_large_state",
        NotRun("takes EPIPE for an error, if the hook is fast"),
    ),
    (
        Kind::Crun,
        "a_hook_may_close_its_standard_input",
        NotRun("takes EPIPE for an error, if the hook is fast"),
    ),
    (Kind::Crun, "a_hook_that_takes_too_long_is_killed", Fails("leaves the children of the killed hook")),
    // hook_failures
    (Kind::Runc, "a_failing_start_container_hook_ends_the_container", Fails("`start` succeeds all the same")),
    (Kind::Runc, "a_failing_poststart_hook_ends_the_container", Fails("runs poststart hooks in `create`")),
    (Kind::Runc, "a_failing_poststop_hook_is_a_warning", Fails("does not run the ones after it")),
    (
        Kind::Runc,
        "run_fails_with_each_hook_but_those_of_poststop",
        Fails("runs poststart hooks before startContainer hooks"),
    ),
    (Kind::Runc, "the_quoted_output_is_bounded_and_escaped", Fails("quotes all of it")),
    (Kind::Runc, "a_relative_path_is_refused", Fails("takes it for one")),
    (Kind::Runc, "an_empty_path_is_refused", Fails("runs the hooks before it")),
    (Kind::Runc, "a_timeout_that_is_not_positive_is_refused", Fails("runs the hooks before it")),
    (
        Kind::Runc,
        "a_create_that_fails_before_its_hooks_runs_none",
        Fails("runs poststop hooks after every failed creation"),
    ),
    (Kind::Runc, "a_create_that_is_killed_takes_its_hook_along", Fails("leaves the cgroups behind")),
    (Kind::Runc, "a_run_that_is_interrupted_ends_its_hook", NotRun("waits for the hook for ever")),
    (Kind::Runc, "a_start_container_hook_whose_starter_is_killed_ends_with_it", Fails("goes on by itself")),
    (Kind::Crun, "a_failing_hook_of_the_creation_ends_it", Fails("runs no poststop hooks then")),
    (Kind::Crun, "a_failing_start_container_hook_ends_the_container", Fails("`start` succeeds all the same")),
    (Kind::Crun, "a_failing_poststart_hook_ends_the_container", Fails("ignores it")),
    (Kind::Crun, "a_failing_poststop_hook_is_a_warning", Fails("ignores it without a word")),
    (Kind::Crun, "run_fails_with_each_hook_but_those_of_poststop", Fails("runs no poststop hooks then")),
    (Kind::Crun, "the_error_tells_the_status_of_the_hook", Fails("ignores that of a poststart hook")),
    (Kind::Crun, "the_error_quotes_what_the_hook_wrote", Fails("has the output go to /dev/null")),
    (Kind::Crun, "the_quoted_output_is_bounded_and_escaped", Fails("has the output go to /dev/null")),
    (Kind::Crun, "a_missing_hook_is_named", Fails("ignores that of poststart")),
    (Kind::Crun, "a_hook_that_is_no_program_is_named", Fails("ignores that of poststart")),
    (Kind::Crun, "a_relative_path_is_refused", Fails("takes it for one")),
    (Kind::Crun, "an_empty_path_is_refused", Fails("runs the hooks before it")),
    (Kind::Crun, "a_timeout_that_is_not_positive_is_refused", Fails("takes 0 for none")),
    (
        Kind::Crun,
        "a_create_that_fails_after_its_hooks_runs_poststop_hooks",
        Fails("sets the limit before the hooks"),
    ),
    (Kind::Crun, "a_create_that_is_killed_takes_its_hook_along", Fails("leaves the cgroups behind")),
    (Kind::Crun, "a_run_that_is_interrupted_ends_its_hook", NotRun("waits for the hook for ever")),
    (
        Kind::Crun,
        "a_start_container_hook_whose_starter_is_killed_ends_with_it",
        NotRun("`start` does not wait for startContainer hooks"),
    ),
    (
        Kind::Crun,
        "a_hook_that_ends_in_time_is_not_killed",
        NotRun("depends on the moment: SIGPIPE ends it when the hook has not read its state"),
    ),
    (
        Kind::Crun,
        "poststart_hooks_do_not_run_if_the_program_cannot_be_executed",
        NotRun("depends on the moment: `start` does not wait for the program"),
    ),
    (Kind::Runc, "a_hook_finds_no_signal_blocked_or_ignored", NotRun("hands on what its caller ignores")),
];
