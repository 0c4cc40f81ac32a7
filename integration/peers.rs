//! Where runc and crun are known to differ: such a case must fail on them, or is not run on them.

use std::path::Path;

use crate::harness::case::CaseDef;
use crate::harness::host::{Host, Kind};

/// What is known of a case on a runtime.
#[derive(Debug, Clone, Copy)]
pub enum Expectation {
    /// It must fail, for this reason.
    Fails(&'static str),
    /// It must fail where a v1 hierarchy is mounted.
    FailsWithCgroupV1(&'static str),
    /// It must fail where there is only v2.
    FailsWithCgroupV2Alone(&'static str),
    /// It cannot be judged, for this reason: it hangs, or depends on the moment.
    NotRun(&'static str),
}

mod cgroup_commands;
mod exec;
mod hooks;
mod linux;
mod lsm;
mod mounts;
mod namespaces;
mod process;
mod resources;
mod systemd;

use Expectation::{Fails, FailsWithCgroupV1, FailsWithCgroupV2Alone, NotRun};

type Peer = (Kind, &'static str, Expectation);

/// The versions that the table was made with.
const VERSIONS: &str =
    "runc 1.1.5 and crun 1.8.1 of Debian 12; with cgroup v2 alone, 1.1.15 and 1.21 of Debian 13";

/// Runtime, name of the case, and why, by chapter.
const PEERS: &[Peer] = &[
    // cli
    (Kind::Runc, "a_config_file_of_another_name_is_read", Fails("has no --config")),
    (Kind::Runc, "a_config_is_read_from_standard_input", Fails("has no --config")),
    (Kind::Runc, "a_disabled_cgroup_manager_makes_no_cgroup", Fails("has no --cgroup-manager")),
    (Kind::Runc, "a_log_level_is_understood", Fails("has no --log-level")),
    (Kind::Runc, "an_error_begins_with_the_name_of_the_runtime", Fails("prints its errors as log lines")),
    (
        Kind::Runc,
        "an_error_names_the_container_and_the_command",
        Fails("says only `container does not exist`"),
    ),
    // create_and_start
    (
        Kind::Runc,
        "a_low_limit_of_open_files_does_not_keep_a_container_from_starting",
        Fails("is under the limit itself while it sets the container up"),
    ),
    (
        Kind::Crun,
        "a_low_limit_of_open_files_does_not_keep_a_container_from_starting",
        Fails("is under the limit itself while it sets the container up"),
    ),
    (
        Kind::Runc,
        "a_create_that_is_killed_at_any_moment_is_cleaned_up_by_force",
        NotRun("cgroups stay behind at some moments"),
    ),
    (
        Kind::Crun,
        "a_create_that_is_killed_at_any_moment_is_cleaned_up_by_force",
        NotRun("cgroups stay behind at some moments"),
    ),
    (Kind::Runc, "a_created_container_ends_when_its_state_is_gone", Fails("has no --cgroup-manager")),
    (
        Kind::Crun,
        "a_created_container_ends_when_its_state_is_gone",
        NotRun("waits for ever for a start that cannot come"),
    ),
    // run
    (Kind::Runc, "a_missing_program_gives_127", Fails("gives 1 for every error of its own")),
    (Kind::Runc, "a_missing_name_in_path_gives_127_and_says_so", Fails("gives 1 for every error of its own")),
    (Kind::Runc, "a_program_that_is_not_executable_gives_126", Fails("gives 1 for every error of its own")),
    (Kind::Runc, "a_directory_as_program_gives_126", Fails("gives 1 for every error of its own")),
    // exec
    (Kind::Runc, "exec_of_a_missing_program_gives_127", Fails("gives 255 for every error of its own")),
    (Kind::Runc, "exec_of_a_missing_name_in_path_gives_127", Fails("gives 255 for every error of its own")),
    (
        Kind::Runc,
        "exec_of_a_program_that_is_not_executable_gives_126",
        Fails("gives 255 for every error of its own"),
    ),
    // delete
    (
        Kind::Runc,
        "delete_by_force_ends_processes_that_outlive_the_program",
        NotRun("on cgroup v2 it sometimes leaves the cgroup that the killed processes are just leaving"),
    ),
    (
        Kind::Runc,
        "delete_by_force_removes_a_state_directory_without_a_readable_state",
        Fails("`delete --force` fails with `unexpected EOF` on a state that is cut off"),
    ),
    // parallel
    (
        Kind::Runc,
        "of_many_creates_of_one_id_exactly_one_wins",
        NotRun("looks whether the id exists and then makes it: sometimes two win"),
    ),
    (
        Kind::Runc,
        "of_many_starts_of_one_container_exactly_one_wins",
        NotRun("a second start sometimes hangs on the fifo that the first has opened"),
    ),
    (
        Kind::Runc,
        "create_and_delete_by_force_of_one_id_at_the_same_time_leave_nothing",
        NotRun("create and delete do not exclude each other; what is left depends on the moment"),
    ),
    // errors
    (
        Kind::Runc,
        "bad_mount_data_names_the_mount_and_the_errno",
        Fails("names neither the entry of config.json nor the errno"),
    ),
    // invalid_configs
    (Kind::Runc, "text_that_is_not_json", Fails("refuses it without naming the file")),
    (Kind::Runc, "json_that_is_cut_off", Fails("refuses it without naming the file")),
    (Kind::Runc, "json_of_another_type", Fails("refuses it without naming the file")),
    (Kind::Runc, "an_empty_file", Fails("refuses it without naming the file")),
    (Kind::Runc, "a_rootfs_that_is_a_file", Fails("says `fork/exec /proc/self/exe: not a directory`")),
    (
        Kind::Runc,
        "a_namespace_path_of_another_type",
        Fails("says `can't get final child's PID from pipe: EOF`"),
    ),
    (
        Kind::Runc,
        "a_namespace_path_to_an_ordinary_file",
        Fails("says `can't get final child's PID from pipe: EOF`"),
    ),
    (Kind::Runc, "a_resource_limit_twice", Fails("accepts it, against config.md")),
    (Kind::Runc, "a_soft_limit_above_the_hard_one", Fails("says `error setting rlimit type 7`")),
    (Kind::Runc, "mappings_without_a_user_namespace", Fails("ignores them")),
    (Kind::Runc, "a_cgroups_path_that_leads_out", Fails("takes the dots away instead of refusing them")),
    (Kind::Runc, "a_version_that_is_none", Fails("does not look at ociVersion")),
    // process
    (Kind::Runc, "the_domain_name_is_set", Fails("does not know the field")),
    // terminal
    (
        Kind::Runc,
        "the_terminal_has_the_size_of_the_callers",
        NotRun("sets the size after it has let the program run"),
    ),
    // seccomp
    (Kind::Runc, "flags_of_the_filter_are_accepted", Fails("says that seccomp flags are not supported")),
    (
        Kind::Runc,
        "denied_calls_are_logged_if_a_flag_says_so",
        Fails("says that seccomp flags are not supported"),
    ),
    // seccomp_notify
    (
        Kind::Runc,
        "a_low_limit_of_open_files_leaves_room_for_the_agent",
        Fails("is under the limit itself while it sets the container up"),
    ),
    (
        Kind::Runc,
        "the_connection_to_the_agent_ends_with_the_message",
        Fails("keeps it open until it ends itself"),
    ),
    (Kind::Runc, "every_call_of_docker_can_be_notified", Fails("writes while the filter is loaded")),
    (Kind::Runc, "the_socket_may_have_a_long_path", Fails("takes paths of 107 bytes")),
    (
        Kind::Runc,
        "a_start_without_the_agent_can_be_tried_again",
        Fails("loads the filter when the container is created"),
    ),
    (Kind::Runc, "the_receiver_of_an_annotation_is_an_agent", Fails("does not know the annotation of crun")),
    (
        Kind::Runc,
        "a_program_in_an_annotation_takes_the_place_of_the_rules",
        Fails("does not know the annotation of crun"),
    ),
    (
        Kind::Runc,
        "a_signal_waits_for_the_answer_if_a_flag_says_so",
        Fails("says that seccomp flags are not supported"),
    ),
    // annotations
    (
        Kind::Runc,
        "a_pidfd_of_init_is_sent_where_an_annotation_says",
        Fails("does not know the annotation of crun"),
    ),
    (
        Kind::Runc,
        "without_a_receiver_of_the_pidfd_nothing_is_made",
        Fails("does not know the annotation of crun"),
    ),
    (
        Kind::Runc,
        "an_unknown_system_call_is_an_error_where_an_annotation_says_so",
        Fails("does not know the annotation of crun"),
    ),
    // namespaces
    (
        Kind::Runc,
        "a_user_namespace_is_joined_by_path",
        Fails("wants mappings for a user namespace that it only joins"),
    ),
    // rootfs
    (Kind::Runc, "a_root_that_is_a_symbolic_link_is_followed", Fails("refuses a symbolic link")),
    // mounts
    (
        Kind::Runc,
        "a_tmpfs_has_its_mode_and_owner",
        Fails("gives the mode of the covered directory even if `mode` is given"),
    ),
    // propagation
    (
        Kind::Runc,
        "a_shared_rootfs_is_a_peer_group_of_its_own",
        Fails("makes the mount of the root filesystem private in every case"),
    ),
    // cgroups
    (
        Kind::Runc,
        "the_mounted_cgroups_are_those_of_the_container",
        FailsWithCgroupV2Alone("mounts the whole hierarchy of the host"),
    ),
    (Kind::Runc, "a_cgroup_with_processes_is_refused", Fails("warns, and refuses only from 1.2 on")),
    // resource_limits
    (
        Kind::Runc,
        "a_huge_page_limit_is_set",
        FailsWithCgroupV1("looks for hugetlb among the v1 hierarchies only"),
    ),
    // cli
    (
        Kind::Crun,
        "a_relative_pid_file_is_in_the_working_directory",
        Fails("writes it relative to the bundle"),
    ),
    (Kind::Crun, "no_subreaper_is_understood_with_one_dash", Fails("knows `--no-subreaper` only")),
    (Kind::Crun, "a_config_is_read_from_standard_input", Fails("takes `-` for the name of a file")),
    (Kind::Crun, "a_log_level_is_understood", Fails("has no --log-level")),
    (Kind::Crun, "an_error_begins_with_the_name_of_the_runtime", Fails("prints the bare message")),
    (Kind::Crun, "an_error_names_the_container_and_the_command", Fails("does not name the command")),
    (
        Kind::Crun,
        "debug_writes_more_than_silence",
        Fails("has nothing to say with --debug when all goes well"),
    ),
    // spec_and_features
    (Kind::Crun, "features_is_json_with_the_range_of_versions", Fails("has no `features`")),
    (Kind::Crun, "features_names_what_the_runtime_knows", Fails("has no `features`")),
    (
        Kind::Crun,
        "features_names_what_newer_versions_of_the_specification_have",
        Fails("has no `features`, or one of an older specification"),
    ),
    (
        Kind::Runc,
        "features_names_what_newer_versions_of_the_specification_have",
        Fails("knows an older specification"),
    ),
    (Kind::Crun, "spec_rootless_maps_the_calling_user", Fails("leaves the mappings to the run")),
    // run
    (Kind::Crun, "a_missing_program_gives_127", Fails("gives 1 for every error of its own")),
    (Kind::Crun, "a_missing_name_in_path_gives_127_and_says_so", Fails("gives 1 for every error of its own")),
    (Kind::Crun, "a_program_that_is_not_executable_gives_126", Fails("gives 1 for every error of its own")),
    (Kind::Crun, "a_directory_as_program_gives_126", Fails("gives 1 for every error of its own")),
    (Kind::Crun, "run_keeps_the_container_if_told", Fails("has no --keep")),
    (
        Kind::Crun,
        "run_without_subreaper_leaves_orphans_alone",
        Fails("accepts --no-subreaper and is one nevertheless"),
    ),
    // create_and_start
    (
        Kind::Crun,
        "a_missing_program_is_reported_by_create_or_start",
        Fails("puts the name into the middle of `executable file not found in $PATH`"),
    ),
    (
        Kind::Crun,
        "a_program_without_permission_is_reported_by_create_or_start",
        Fails("does not name the program"),
    ),
    // state
    (
        Kind::Crun,
        "a_container_is_being_created_while_its_first_hooks_run",
        Fails("tells the createRuntime hooks `created`"),
    ),
    // kill
    (
        Kind::Crun,
        "a_signal_is_known_by_number_and_by_every_spelling_of_its_name",
        Fails("knows names in upper case only"),
    ),
    (
        Kind::Crun,
        "an_unknown_signal_is_refused_and_not_sent",
        Fails("takes an unknown name for no signal at all and succeeds"),
    ),
    (Kind::Crun, "kill_of_a_stopped_container_is_an_error_that_says_so", Fails("says `No such process`")),
    (Kind::Crun, "kill_of_a_container_whose_init_is_gone_is_an_error", Fails("says `No such process`")),
    // exec
    (Kind::Crun, "exec_of_a_missing_program_gives_127", Fails("gives 255 for every error of its own")),
    (Kind::Crun, "exec_of_a_missing_name_in_path_gives_127", Fails("gives 255 for every error of its own")),
    (
        Kind::Crun,
        "exec_of_a_program_that_is_not_executable_gives_126",
        Fails("gives 255 for every error of its own"),
    ),
    (
        Kind::Crun,
        "exec_adds_and_replaces_environment_variables",
        Fails("with --env it drops the environment of the configuration"),
    ),
    (Kind::Crun, "exec_starts_in_the_directory_of_the_configuration", Fails("starts in / unless told")),
    (Kind::Crun, "exec_starts_as_the_user_of_the_configuration", Fails("starts as root unless told")),
    (Kind::Crun, "exec_adds_groups", Fails("has no --additional-gids")),
    (
        Kind::Crun,
        "a_detached_exec_with_a_terminal_needs_a_console_socket",
        Fails("says only `tcgetattr: Inappropriate ioctl for device`"),
    ),
    (Kind::Crun, "exec_adds_a_capability_to_those_of_the_configuration", Fails("gives those of --cap alone")),
    (Kind::Crun, "exec_keeps_no_new_privileges", Fails("sets it only with --no-new-privs")),
    (Kind::Crun, "an_executed_program_has_the_resource_limits_of_the_configuration", Fails("sets none")),
    (
        Kind::Crun,
        "a_working_directory_behind_a_descriptor_of_the_caller_never_leads_out",
        Fails("starts the program in a directory of the host that its caller has open"),
    ),
    // delete
    (
        Kind::Crun,
        "delete_of_a_stopped_container_leaves_nothing",
        Fails("says `error opening file` of a container that does not exist"),
    ),
    (
        Kind::Crun,
        "delete_twice_is_an_error_the_second_time",
        Fails("says `cannot open directory` of a container that does not exist"),
    ),
    (
        Kind::Crun,
        "create_and_delete_by_force_of_one_id_at_the_same_time_leave_nothing",
        NotRun("create and delete do not exclude each other; what is left depends on the moment"),
    ),
    // identifiers
    (Kind::Crun, "an_id_with_a_slash_is_refused", Fails("accepts `a/`")),
    (Kind::Crun, "an_id_with_white_space_is_refused", Fails("accepts all but slashes")),
    (Kind::Crun, "an_id_outside_ascii_is_refused", Fails("accepts all but slashes")),
    (Kind::Crun, "an_id_that_is_refused_is_refused_by_every_command", Fails("`delete ../victim` succeeds")),
    // errors
    (Kind::Crun, "state_of_an_unknown_id_says_that_it_does_not_exist", Fails("says `error opening file`")),
    (Kind::Crun, "start_of_an_unknown_id_says_that_it_does_not_exist", Fails("says `error opening file`")),
    (Kind::Crun, "kill_of_an_unknown_id_says_that_it_does_not_exist", Fails("says `error opening file`")),
    (
        Kind::Crun,
        "delete_of_an_unknown_id_says_that_it_does_not_exist",
        Fails("says `cannot open directory`"),
    ),
    (
        Kind::Crun,
        "bad_mount_data_names_the_mount_and_the_errno",
        Fails("names neither the entry of config.json nor the errno"),
    ),
    (
        Kind::Crun,
        "an_error_inside_the_container_is_the_last_line_of_the_json_log",
        Fails("names the target without its slash"),
    ),
    (
        Kind::Crun,
        "a_failed_exec_is_the_last_line_of_the_json_log",
        Fails("says `No such file`, in upper case"),
    ),
    // invalid_configs
    (Kind::Crun, "no_process_arguments", Fails("creates a container without a program")),
    (Kind::Crun, "empty_process_arguments", Fails("says `open executable: Invalid argument`")),
    (Kind::Crun, "a_relative_working_directory", Fails("accepts it, against config.md")),
    (Kind::Crun, "no_working_directory", Fails("says `error loading config.json`")),
    (Kind::Crun, "a_rootfs_that_is_a_file", Fails("does not name it")),
    (Kind::Crun, "a_namespace_twice", Fails("accepts it, against config-linux.md")),
    (
        Kind::Crun,
        "a_namespace_path_of_another_type",
        NotRun("sometimes says `write to sync socket: Broken pipe` instead"),
    ),
    (
        Kind::Crun,
        "a_namespace_path_to_an_ordinary_file",
        NotRun("sometimes says `write to sync socket: Broken pipe` instead"),
    ),
    (Kind::Crun, "a_resource_limit_twice", Fails("accepts it, against config.md")),
    (Kind::Crun, "a_mount_without_destination", Fails("says `error loading config.json`")),
    (Kind::Crun, "an_unknown_propagation_of_the_rootfs", Fails("ignores it")),
    (Kind::Crun, "mappings_without_a_user_namespace", Fails("ignores them")),
    (Kind::Crun, "a_user_namespace_without_mappings", Fails("says that devpts cannot be mounted")),
    (Kind::Crun, "a_device_of_an_unknown_type", Fails("accepts it")),
    (Kind::Crun, "a_cgroups_path_that_leads_out", Fails("tries it")),
    (Kind::Crun, "a_version_that_is_none", Fails("does not name the field")),
    (Kind::Crun, "masked_paths_without_a_mount_namespace", Fails("mounts in the namespace of the caller")),
    (Kind::Crun, "a_negative_user_id", Fails("says `error loading config.json`")),
    (Kind::Crun, "a_string_where_a_number_belongs", Fails("takes it for 0")),
    // process
    (Kind::Crun, "home_is_the_root_without_a_passwd", Fails("sets no HOME for a user who is not in passwd")),
    (
        Kind::Crun,
        "an_open_files_limit_is_felt",
        Fails("runs into the limit itself when it sets up the cgroup"),
    ),
    // terminal
    (
        Kind::Crun,
        "the_terminal_has_the_size_of_the_callers",
        NotRun("sets the size after it has let the program run"),
    ),
    (Kind::Crun, "a_resize_reaches_the_program", NotRun("loses a resize at the start")),
    // seccomp
    (Kind::Crun, "a_call_newer_than_the_profile_is_not_there", Fails("gives it the default action")),
    // seccomp_notify
    (
        Kind::Crun,
        "a_low_limit_of_open_files_leaves_room_for_the_agent",
        Fails("is under the limit itself while it sets the container up"),
    ),
    (Kind::Crun, "the_agent_is_told_of_the_process", Fails("says that it complies with version 0.2.0")),
    (
        Kind::Crun,
        "the_connection_to_the_agent_ends_with_the_message",
        Fails("keeps it open until it ends itself"),
    ),
    (Kind::Crun, "an_executed_program_has_the_agent_too", Fails("says that all pids are 0")),
    (
        Kind::Crun,
        "a_start_without_the_agent_can_be_tried_again",
        Fails("connects to the agent when the container is created"),
    ),
    (
        Kind::Crun,
        "an_agent_that_nothing_notifies_is_not_looked_for",
        Fails("connects whether anything notifies or not"),
    ),
    (Kind::Crun, "not_everything_can_be_notified", Fails("lets the agent answer for every call")),
    // mounts
    (
        Kind::Crun,
        "a_tmpfs_has_the_mode_of_the_directory_below_unless_told",
        Fails("leaves it to the kernel: 1777"),
    ),
    (Kind::Crun, "a_mount_of_an_unknown_type_is_refused", Fails("names the target without its slash")),
    (
        Kind::Crun,
        "lazytime_iversion_and_loud_are_options",
        Fails("hands them to the filesystem, which refuses them"),
    ),
    (
        Kind::Crun,
        "a_symbolic_link_is_not_followed_on_a_mount_that_says_so",
        Fails("does not know nosymfollow"),
    ),
    // propagation
    (
        Kind::Crun,
        "a_slave_bind_mount_needs_no_propagation_of_the_rootfs",
        Fails("makes all mounts private unless rootfsPropagation says otherwise"),
    ),
    (Kind::Crun, "an_unbindable_bind_mount_says_so", Fails("does not make it so")),
    (
        Kind::Crun,
        "a_slave_rootfs_sees_new_mounts_of_the_host",
        Fails("makes the mount of the root filesystem private"),
    ),
    // cgroups
    (Kind::Crun, "a_cgroup_with_processes_is_refused", Fails("uses it")),
    // resource_limits
    (Kind::Crun, "minus_one_is_no_limit", Fails("writes -1 to pids.max")),
    (Kind::Crun, "an_impossible_cpu_quota_is_refused", Fails("leaves the cgroup behind")),
    // user_namespaces
    (Kind::Crun, "a_user_who_is_not_mapped_is_an_error", Fails("says only `Invalid argument`")),
    // rootless
    (Kind::Crun, "a_resource_limit_for_an_ordinary_user_is_set_or_refused", Fails("ignores the limit")),
    // delegation, delegation_refused, user_session, cgroup_ownership
    (
        Kind::Runc,
        "delete_by_force_ends_all_processes_in_a_delegated_cgroup",
        NotRun("on cgroup v2 it sometimes leaves the cgroup that the killed processes are just leaving"),
    ),
    (
        Kind::Runc,
        "from_the_top_of_the_delegated_part_a_container_without_limits_is_below",
        FailsWithCgroupV2Alone("makes no cgroup below that of the caller"),
    ),
    (
        Kind::Runc,
        "groups_that_the_container_closed_are_removed_with_it",
        FailsWithCgroupV2Alone("leaves them behind"),
    ),
    (
        Kind::Runc,
        "the_cgroups_of_the_host_are_read_only_behind_a_bound_sys",
        FailsWithCgroupV2Alone("leaves them writable"),
    ),
    (
        Kind::Runc,
        "without_a_cgroup_namespace_only_the_own_cgroup_is_mounted",
        FailsWithCgroupV2Alone("mounts the whole hierarchy of the host"),
    ),
    (
        Kind::Runc,
        "limits_for_a_user_without_a_delegated_cgroup_are_refused",
        FailsWithCgroupV1("says nothing of permissions"),
    ),
    (Kind::Runc, "a_path_that_is_not_delegated_is_a_warning_without_limits", Fails("refuses the path")),
    (
        Kind::Runc,
        "without_limits_a_delegated_cgroup_is_not_needed_from_outside",
        FailsWithCgroupV2Alone("refuses the path"),
    ),
    (
        Kind::Runc,
        "without_limits_a_directory_alone_does_not_matter",
        FailsWithCgroupV2Alone("fails to enter the cgroup that it has made"),
    ),
    (
        Kind::Runc,
        "exec_from_outside_does_not_leave_the_limits",
        FailsWithCgroupV2Alone("runs the program outside of the cgroup"),
    ),
    (
        Kind::Runc,
        "limits_below_a_group_with_processes_are_refused",
        FailsWithCgroupV2Alone(
            "lets the cgroup of the caller pass pids on, which makes it a threaded domain",
        ),
    ),
    (
        Kind::Runc,
        "a_limit_that_cannot_be_had_is_named_with_the_reason_and_the_remedy",
        FailsWithCgroupV2Alone("names neither the limits nor a remedy"),
    ),
    (Kind::Runc, "a_plan_says_that_limits_are_not_to_be_had", Fails("has no `plan`")),
    (
        Kind::Runc,
        "a_cpu_limit_outlives_the_call_that_set_it",
        FailsWithCgroupV2Alone("makes the cgroup in a slice of systemd, which takes the controller back"),
    ),
    (Kind::Runc, "a_cpu_limit_beside_a_scope_is_a_warning", FailsWithCgroupV2Alone("does not warn")),
    (
        Kind::Runc,
        "a_service_of_the_system_runs_a_container_of_its_user_in_its_own_cgroup",
        FailsWithCgroupV2Alone("wants a cgroup beside that of the service"),
    ),
    (
        Kind::Runc,
        "limits_below_the_scope_of_a_shell_are_refused_with_the_remedy",
        FailsWithCgroupV2Alone("names no remedy"),
    ),
    (
        Kind::Runc,
        "limits_outside_of_the_users_services_are_refused_with_the_remedy",
        FailsWithCgroupV2Alone("names no remedy"),
    ),
    (
        Kind::Runc,
        "a_writable_cgroup_belongs_to_the_root_of_the_user_namespace",
        FailsWithCgroupV2Alone("leaves it to root"),
    ),
    (
        Kind::Runc,
        "a_writable_cgroup_belongs_to_the_user_of_the_program",
        FailsWithCgroupV2Alone("leaves it to root"),
    ),
    (
        Kind::Runc,
        "the_owner_of_a_cgroup_makes_groups_but_does_not_raise_its_limits",
        FailsWithCgroupV2Alone("leaves the cgroup to root"),
    ),
    (
        Kind::Runc,
        "groups_of_the_owner_are_removed_with_the_container",
        FailsWithCgroupV2Alone("leaves the cgroup to root"),
    ),
    (
        Kind::Crun,
        "a_relative_path_of_an_ordinary_user_is_beside_the_caller",
        FailsWithCgroupV2Alone("takes it from the root of the hierarchy"),
    ),
    (
        Kind::Crun,
        "from_the_top_of_the_delegated_part_a_container_without_limits_is_below",
        FailsWithCgroupV2Alone("makes no cgroup below that of the caller"),
    ),
    (
        Kind::Crun,
        "groups_that_the_container_closed_are_removed_with_it",
        FailsWithCgroupV2Alone("leaves them behind"),
    ),
    (
        Kind::Crun,
        "the_cgroups_of_the_host_are_read_only_behind_a_bound_sys",
        FailsWithCgroupV2Alone("leaves them writable"),
    ),
    (
        Kind::Crun,
        "without_a_cgroup_namespace_only_the_own_cgroup_is_mounted",
        FailsWithCgroupV2Alone("mounts the whole hierarchy of the host"),
    ),
    (Kind::Crun, "limits_for_a_user_without_a_delegated_cgroup_are_refused", Fails("ignores the limits")),
    (
        Kind::Crun,
        "limits_in_a_delegated_cgroup_that_is_called_from_outside_are_refused",
        FailsWithCgroupV2Alone("leaves the cgroup behind"),
    ),
    (Kind::Crun, "a_path_that_is_not_delegated_is_a_warning_without_limits", Fails("refuses the path")),
    (
        Kind::Crun,
        "without_limits_a_delegated_cgroup_is_not_needed_from_outside",
        FailsWithCgroupV2Alone("refuses the path"),
    ),
    (
        Kind::Crun,
        "limits_in_a_directory_alone_are_refused",
        FailsWithCgroupV2Alone("leaves the cgroup behind"),
    ),
    (
        Kind::Crun,
        "without_limits_a_directory_alone_does_not_matter",
        FailsWithCgroupV2Alone("leaves the cgroup behind"),
    ),
    (
        Kind::Crun,
        "exec_from_outside_works_where_there_is_no_limit",
        FailsWithCgroupV2Alone("refuses to leave a cgroup without limits"),
    ),
    (
        Kind::Crun,
        "a_controller_that_is_not_delegated_is_refused",
        FailsWithCgroupV2Alone("leaves the cgroup behind"),
    ),
    (
        Kind::Crun,
        "limits_below_a_group_with_processes_are_refused",
        FailsWithCgroupV2Alone("ignores the limits"),
    ),
    (
        Kind::Crun,
        "after_the_shell_has_moved_the_limits_are_set",
        FailsWithCgroupV2Alone("has made the cgroup of the caller a threaded domain by then"),
    ),
    (
        Kind::Crun,
        "a_limit_that_cannot_be_had_is_named_with_the_reason_and_the_remedy",
        FailsWithCgroupV2Alone("names neither the limits nor a remedy"),
    ),
    (Kind::Crun, "a_plan_says_that_limits_are_not_to_be_had", Fails("has no `plan`")),
    (
        Kind::Crun,
        "a_cpu_limit_outlives_the_call_that_set_it",
        FailsWithCgroupV2Alone("makes the cgroup in a slice of systemd, which takes the controller back"),
    ),
    (Kind::Crun, "a_cpu_limit_beside_a_scope_is_a_warning", FailsWithCgroupV2Alone("does not warn")),
    (
        Kind::Crun,
        "a_service_of_the_system_runs_a_container_of_its_user_in_its_own_cgroup",
        FailsWithCgroupV2Alone("makes no cgroup there, and ignores the limits"),
    ),
    (
        Kind::Crun,
        "limits_below_the_scope_of_a_shell_are_refused_with_the_remedy",
        FailsWithCgroupV2Alone("names no remedy"),
    ),
    (
        Kind::Crun,
        "limits_outside_of_the_users_services_are_refused_with_the_remedy",
        FailsWithCgroupV2Alone("ignores the limits"),
    ),
    (
        Kind::Crun,
        "a_writable_cgroup_belongs_to_the_user_of_the_program",
        FailsWithCgroupV2Alone("gives it to root of the user namespace"),
    ),
    (
        Kind::Crun,
        "a_read_only_cgroup_stays_roots",
        FailsWithCgroupV2Alone("gives every cgroup to root of the user namespace"),
    ),
    (
        Kind::Crun,
        "a_cgroup_without_a_namespace_of_its_own_stays_roots",
        FailsWithCgroupV2Alone("gives every cgroup to root of the user namespace"),
    ),
    (
        Kind::Crun,
        "a_cgroup_that_is_not_mounted_stays_roots",
        FailsWithCgroupV2Alone("gives every cgroup to root of the user namespace"),
    ),
];

/// All of them.
fn all() -> impl Iterator<Item = &'static Peer> {
    [
        PEERS,
        cgroup_commands::PEERS,
        exec::NEITHER,
        exec::PEERS,
        hooks::PEERS,
        linux::PEERS,
        lsm::PEERS,
        mounts::PEERS,
        process::PEERS,
        resources::PEERS,
        systemd::PEERS,
        namespaces::PEERS,
    ]
    .into_iter()
    .flatten()
}

/// What is known of the case `name` on the runtime of this host.
pub fn expectation(host: &Host, name: &str) -> Option<Expectation> {
    let (_, _, known) = all().find(|(kind, case, _)| *kind == host.kind && *case == name)?;
    match known {
        FailsWithCgroupV1(_) if host.cgroups.is_v2_only() => None,
        FailsWithCgroupV2Alone(_) if !host.cgroups.is_v2_only() => None,
        FailsWithCgroupV1(why) | FailsWithCgroupV2Alone(why) | Fails(why) => Some(Fails(why)),
        NotRun(why) => Some(NotRun(why)),
    }
}

/// Every entry must name a case, once, and every case needs a name of its own.
pub fn check_names(cases: &[CaseDef]) -> Result<(), String> {
    for (i, case) in cases.iter().enumerate() {
        if cases[..i].iter().any(|other| other.name == case.name) {
            return Err(format!("two cases are called {}", case.name));
        }
    }
    for (i, (kind, name, _)) in all().enumerate() {
        if !cases.iter().any(|case| case.name == *name) {
            return Err(format!("peers.rs: there is no case {name}"));
        }
        if all().take(i).any(|(k, n, _)| k == kind && n == name) {
            return Err(format!("peers.rs: {name} is listed twice for {}", kind.name()));
        }
    }
    Ok(())
}

/// PEERS.md as it should be.
pub fn markdown() -> String {
    let mut text = format!(
        "# Cases that other runtimes do not pass\n\n\
         Written by `--write-peers` from `peers.rs`; made with {VERSIONS}.\n\n\
         A case that *fails* must fail on that runtime: passing is reported as an error, so that the table\n\
         stays true. A case that is *not run* cannot be judged there.\n"
    );
    for kind in [Kind::Tierce, Kind::Runc, Kind::Crun] {
        let entries: Vec<&Peer> = all().filter(|(k, _, _)| *k == kind).collect();
        if entries.is_empty() {
            continue;
        }
        text.push_str(&format!("\n## {}\n\n| case | | why |\n|---|---|---|\n", kind.name()));
        for (_, name, expectation) in entries {
            let (word, why) = match expectation {
                Fails(why) => ("fails", why),
                FailsWithCgroupV1(why) => ("fails with cgroup v1", why),
                FailsWithCgroupV2Alone(why) => ("fails with cgroup v2 alone", why),
                NotRun(why) => ("not run", why),
            };
            text.push_str(&format!("| `{name}` | {word} | {why} |\n"));
        }
    }
    text
}

/// Writes PEERS.md beside this file.
pub fn write_markdown() -> Result<(), String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("integration/PEERS.md");
    std::fs::write(&path, markdown()).map_err(|e| format!("{}: {e}", path.display()))
}
