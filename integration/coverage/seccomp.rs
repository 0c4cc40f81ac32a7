//! config-linux.md: `seccomp`.

use super::{Must, Optional, Own, Section, row};

pub(super) const SECCOMP: Section = Section {
    title: "linux.seccomp",
    rows: &[
        row(
            Must,
            "`defaultAction`",
            &[
                "a_call_that_is_not_allowed_is_denied_by_default",
                "a_list_of_allowed_calls_is_enough_to_run",
                "an_unknown_seccomp_action",
            ],
        ),
        row(Optional, "`defaultErrnoRet`", &["the_default_errno_is_that_of_the_configuration"]),
        row(
            Optional,
            "`architectures`",
            &[
                "a_call_by_another_architecture_kills_unless_it_is_listed",
                "a_rule_is_for_all_architectures_that_are_listed",
                "a_call_by_x32_kills_unless_that_is_listed",
                "an_unknown_seccomp_architecture",
            ],
        ),
        row(
            Optional,
            "`flags`: TSYNC, LOG, SPEC_ALLOW",
            &["flags_of_the_filter_are_accepted", "denied_calls_are_logged_if_a_flag_says_so"],
        ),
        row(Optional, "`flags`: WAIT_KILLABLE_RECV", &["a_signal_waits_for_the_answer_if_a_flag_says_so"]),
        row(Must, "`SCMP_ACT_ALLOW`", &["a_list_of_allowed_calls_is_enough_to_run"]),
        row(Must, "`SCMP_ACT_ERRNO`", &["a_denied_call_fails_with_eperm"]),
        row(Must, "`SCMP_ACT_KILL_PROCESS`", &["a_killed_process_gives_159"]),
        row(
            Must,
            "`SCMP_ACT_KILL`, `SCMP_ACT_KILL_THREAD`",
            &["a_killed_child_does_not_take_the_program_with_it"],
        ),
        row(Must, "`SCMP_ACT_TRAP`", &["a_trapped_call_is_a_signal_that_the_program_can_handle"]),
        row(Must, "`SCMP_ACT_TRACE`", &["a_traced_call_without_a_tracer_is_not_there"]),
        row(Must, "`SCMP_ACT_LOG`", &["logging_lets_the_call_through"]),
        row(
            Must,
            "`SCMP_ACT_NOTIFY`",
            &[
                "the_agent_answers_for_a_call",
                "an_executed_program_has_the_agent_too",
                "not_everything_can_be_notified",
            ],
        ),
        row(
            Must,
            "`listenerPath`",
            &[
                "the_agent_is_told_of_the_process",
                "the_connection_to_the_agent_ends_with_the_message",
                "without_an_agent_nothing_is_made",
                "a_socket_of_another_kind_is_an_error",
            ],
        ),
        row(
            Must,
            "`listenerPath` without notification is ignored",
            &["an_agent_that_nothing_notifies_is_not_looked_for"],
        ),
        row(Optional, "`listenerMetadata`", &["the_agent_is_told_of_the_process", "a_message_may_be_long"]),
        row(Optional, "`syscalls[].errnoRet`", &["a_denied_call_fails_with_the_errno_of_the_rule"]),
        row(
            Optional,
            "`syscalls[].args`",
            &["a_rule_with_an_argument_is_for_that_argument_only", "all_arguments_of_a_rule_must_match"],
        ),
        row(
            Must,
            "`SCMP_CMP_NE`, `_LT`, `_LE`, `_EQ`, `_GE`, `_GT`",
            &["a_rule_can_compare_by_order", "a_rule_with_an_argument_is_for_that_argument_only"],
        ),
        row(Must, "`SCMP_CMP_MASKED_EQ`", &["a_rule_with_a_mask_compares_the_masked_argument"]),
        row(Own, "a call that is newer than the profile", &["a_call_newer_than_the_profile_is_not_there"]),
        row(Own, "a call that is not known", &["an_unknown_call_in_a_rule_is_left_out"]),
        row(
            Own,
            "without `noNewPrivileges`",
            &[
                "a_filter_works_without_no_new_privileges",
                "a_filter_without_no_new_privileges_is_there_for_a_user",
            ],
        ),
        row(
            Own,
            "the profile of Docker",
            &[
                "the_profile_of_docker_loads_and_lets_a_shell_work",
                "the_profile_of_docker_denies_a_user_namespace",
            ],
        ),
    ],
};
