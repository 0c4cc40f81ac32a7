//! config.md: the top level and `process`.

use super::{May, Must, Optional, Own, Section, row};

pub(super) const TOP: Section = Section {
    title: "config.json, top level",
    rows: &[
        row(Must, "`ociVersion`", &["a_version_that_is_none", "features_is_json_with_the_range_of_versions"]),
        row(
            Must,
            "`root.path`",
            &[
                "the_root_is_that_of_the_bundle",
                "an_absolute_root_path_is_used",
                "a_root_path_of_several_parts_is_used",
                "a_root_that_is_a_symbolic_link_is_followed",
                "a_missing_rootfs",
                "a_rootfs_that_is_a_file",
                "no_root_at_all",
            ],
        ),
        row(
            Must,
            "`root.readonly`",
            &["a_read_only_root_cannot_be_written_to", "a_writable_root_is_written_to"],
        ),
        row(
            Optional,
            "`hostname`",
            &[
                "the_host_name_is_set",
                "a_host_name_without_its_namespace",
                "the_host_name_is_set_in_a_joined_uts_namespace_by_no_one_but_the_configuration",
            ],
        ),
        row(Optional, "`domainname`", &["the_domain_name_is_set"]),
        row(Optional, "`annotations`", &["all_annotations_are_in_the_state", "annotations_are_in_the_state"]),
        row(
            Must,
            "JSON",
            &["text_that_is_not_json", "json_that_is_cut_off", "json_of_another_type", "an_empty_file"],
        ),
        row(Must, "values of a wrong type", &["a_string_where_a_number_belongs", "a_negative_user_id"]),
    ],
};

pub(super) const PROCESS: Section = Section {
    title: "process",
    rows: &[
        row(
            Optional,
            "`terminal`",
            &[
                "the_program_has_a_terminal",
                "the_program_has_a_controlling_terminal",
                "exec_gives_a_terminal",
            ],
        ),
        row(
            Optional,
            "`consoleSize`",
            &[
                "the_console_has_the_size_of_the_configuration",
                "the_console_of_an_executed_program_has_the_size_of_its_process",
            ],
        ),
        row(
            Must,
            "`cwd`",
            &[
                "the_working_directory_is_entered",
                "a_missing_working_directory_is_made",
                "a_working_directory_that_is_a_link_stays_inside",
                "a_relative_working_directory",
                "no_working_directory",
            ],
        ),
        row(
            Optional,
            "`env`",
            &[
                "the_environment_is_that_of_the_configuration",
                "a_variable_given_twice_has_its_last_value",
                "the_environment_of_the_caller_is_not_inherited",
            ],
        ),
        row(
            Must,
            "`args`",
            &[
                "the_arguments_arrive_as_they_are",
                "the_program_is_looked_up_in_path_of_the_configuration",
                "no_process_arguments",
                "empty_process_arguments",
            ],
        ),
        row(Must, "`user.uid`, `user.gid`", &["the_user_and_the_groups_are_set"]),
        row(
            Optional,
            "`user.additionalGids`",
            &["the_user_and_the_groups_are_set", "without_additional_groups_there_are_none"],
        ),
        row(Optional, "`user.umask`", &["the_umask_is_set", "the_umask_of_the_caller_is_not_inherited"]),
        row(
            Optional,
            "`rlimits`",
            &[
                "resource_limits_are_set",
                "a_file_size_limit_ends_a_large_write",
                "an_open_files_limit_is_felt",
                "an_unknown_resource_limit",
                "a_soft_limit_above_the_hard_one",
            ],
        ),
        row(Must, "`rlimits`, one twice is an error", &["a_resource_limit_twice"]),
        row(
            Optional,
            "`capabilities`, its five sets",
            &[
                "each_of_the_five_sets_is_what_the_configuration_says",
                "without_capabilities_all_sets_are_empty",
                "a_user_keeps_ambient_capabilities_over_the_exec",
                "a_program_cannot_get_back_what_is_not_in_the_bounding_set",
            ],
        ),
        row(
            Must,
            "`capabilities`, an unknown one is a warning",
            &["an_unknown_capability_is_no_reason_to_fail"],
        ),
        row(
            Must,
            "`capabilities`, one that cannot be granted is a warning",
            &["a_capability_that_the_caller_lacks_is_left_out_with_a_warning"],
        ),
        row(
            Optional,
            "`noNewPrivileges`",
            &[
                "no_new_privileges_is_set_and_not_set",
                "no_new_privileges_makes_a_set_user_id_program_harmless",
            ],
        ),
        row(Optional, "`oomScoreAdj`", &["the_oom_score_is_raised"]),
        row(
            Optional,
            "`apparmorProfile`",
            &[
                "a_profile_is_that_of_the_program",
                "a_profile_denies_what_it_says",
                "a_profile_works_with_no_new_privileges_and_without",
                "exec_has_the_profile_of_the_container",
                "a_profile_that_is_not_loaded_is_named",
                "a_profile_without_apparmor_is_refused",
            ],
        ),
        row(
            Optional,
            "`selinuxLabel`",
            &[
                "a_label_is_that_of_the_program",
                "exec_has_the_label_of_the_container",
                "a_label_that_the_policy_does_not_know_is_named",
                "an_enforced_policy_allows_and_denies_by_the_label",
                "labels_without_selinux_are_refused",
            ],
        ),
        row(
            Optional,
            "`scheduler`",
            &[
                "a_nice_value_is_set",
                "the_policies_of_ordinary_processes_are_set",
                "a_real_time_policy_has_its_priority",
                "a_deadline_has_its_times",
                "a_policy_that_is_reset_on_fork_is_not_that_of_children",
                "exec_has_the_scheduler_of_the_container",
                "a_scheduler_that_the_kernel_refuses_is_an_error",
            ],
        ),
        row(
            Optional,
            "`ioPriority`",
            &["an_io_priority_is_set_in_every_class", "exec_has_the_io_priority_of_the_container"],
        ),
        row(
            Optional,
            "`execCPUAffinity`",
            &[
                "exec_runs_on_the_cpus_of_its_affinity",
                "exec_goes_from_the_first_cpus_to_those_of_the_cpuset",
                "an_affinity_outside_of_the_cpuset_is_refused",
                "an_affinity_is_not_that_of_init",
                "an_empty_affinity_changes_nothing",
            ],
        ),
        row(
            Own,
            "`HOME` of the container's /etc/passwd",
            &[
                "home_is_that_of_passwd_unless_set",
                "exec_has_the_home_of_its_user",
                "a_passwd_behind_a_link_is_read_inside_the_root_only",
                "a_passwd_that_is_a_fifo_is_not_waited_for",
            ],
        ),
        row(
            Own,
            "annotation `run.oci.keep_original_groups`",
            &["the_groups_of_the_caller_are_kept_if_told", "groups_beside_those_that_are_kept_are_a_warning"],
        ),
        row(Own, "a session keyring", &["a_session_keyring_named_after_the_container_is_made"]),
    ],
};

pub(super) const PLATFORMS: Section = Section {
    title: "other systems, and what is not known",
    rows: &[
        row(Must, "members that are not known are ignored", &["members_that_are_not_known_are_ignored"]),
        row(
            May,
            "`solaris`, `windows`, `freebsd`, `zos`",
            &["sections_of_other_systems_are_ignored", "a_configuration_for_another_system_is_refused"],
        ),
        row(May, "`process.commandLine`, `process.user.username`", &["members_of_other_systems_are_ignored"]),
        row(May, "`vm`", &["a_virtual_machine_is_refused", "an_empty_section_asks_for_no_virtual_machine"]),
    ],
};
