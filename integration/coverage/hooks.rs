//! config.md, "POSIX-platform Hooks", and runtime.md, "Lifecycle".

use super::{Must, Optional, Own, Section, row};

pub(super) const HOOKS: Section = Section {
    title: "hooks",
    rows: &[
        row(
            Must,
            "`prestart`, `createRuntime`",
            &[
                "hooks_run_in_the_order_of_the_life_of_a_container",
                "hooks_of_the_runtime_namespace_run_in_it",
                "the_mounts_are_made_when_the_first_hooks_run",
            ],
        ),
        row(
            Must,
            "`createContainer`",
            &[
                "create_container_hooks_run_in_the_namespaces_of_the_container",
                "the_path_of_a_create_container_hook_is_one_of_the_host",
                "the_root_is_not_changed_yet_when_create_container_hooks_run",
            ],
        ),
        row(
            Must,
            "`startContainer`",
            &[
                "start_container_hooks_run_in_the_container",
                "the_path_of_a_start_container_hook_is_one_of_the_container",
                "the_program_does_not_run_before_the_start_container_hooks",
            ],
        ),
        row(
            Must,
            "`poststart`",
            &[
                "the_program_has_been_executed_when_poststart_hooks_run",
                "poststart_hooks_are_done_when_start_returns",
            ],
        ),
        row(
            Must,
            "`poststop`",
            &["poststop_hooks_run_when_everything_is_gone", "poststop_hooks_run_once_though_many_delete"],
        ),
        row(
            Must,
            "`path`",
            &["a_missing_hook_is_named", "a_relative_path_is_refused", "an_empty_path_is_refused"],
        ),
        row(
            Optional,
            "`args`",
            &["the_arguments_are_those_of_the_configuration", "without_arguments_the_path_is_the_name"],
        ),
        row(
            Optional,
            "`env`",
            &[
                "the_environment_is_that_of_the_configuration_and_nothing_else",
                "without_an_environment_there_is_none",
            ],
        ),
        row(
            Optional,
            "`timeout`",
            &[
                "a_hook_that_takes_too_long_is_killed",
                "a_hook_that_ends_in_time_is_not_killed",
                "a_timeout_that_is_not_positive_is_refused",
            ],
        ),
        row(
            Must,
            "the state on standard input",
            &["the_state_on_standard_input_is_that_of_the_moment", "the_pid_is_that_which_the_hook_sees"],
        ),
        row(
            Must,
            "a failure before the program runs ends the creation",
            &["a_failing_hook_of_the_creation_ends_it", "a_failing_start_container_hook_ends_the_container"],
        ),
        row(Must, "a failing `poststart` hook", &["a_failing_poststart_hook_ends_the_container"]),
        row(Must, "a failing `poststop` hook is a warning", &["a_failing_poststop_hook_is_a_warning"]),
        row(Own, "what a hook says", &["the_error_quotes_what_the_hook_wrote"]),
    ],
};
