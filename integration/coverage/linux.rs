//! config-linux.md, without hooks, resources and seccomp.

use super::{May, Must, Optional, Own, Section, Should, row};

pub(super) const NAMESPACES: Section = Section {
    title: "linux.namespaces and id mappings",
    rows: &[
        row(
            Should,
            "type `pid`",
            &["a_new_pid_namespace_shows_only_the_container", "every_namespace_asked_for_is_new"],
        ),
        row(Should, "type `network`", &["a_new_network_namespace_has_only_a_loopback_which_is_up"]),
        row(Should, "type `mount`", &["a_new_mount_namespace_hides_the_mounts_of_the_container"]),
        row(Should, "type `ipc`", &["a_new_ipc_namespace_has_no_message_queues"]),
        row(Should, "type `uts`", &["a_new_uts_namespace_keeps_the_host_name_of_the_host"]),
        row(Should, "type `user`", &["root_inside_is_an_ordinary_user_outside"]),
        row(Should, "type `cgroup`", &["a_new_cgroup_namespace_shows_its_own_cgroup_as_the_root"]),
        row(
            Must,
            "`path`",
            &[
                "a_network_namespace_is_joined_by_path",
                "an_ipc_namespace_is_joined_by_path",
                "a_uts_namespace_is_joined_by_path",
                "a_pid_namespace_is_joined_by_path",
                "a_cgroup_namespace_is_joined_by_path",
                "a_mount_namespace_is_joined_by_path",
                "a_user_namespace_is_joined_by_path",
                "a_time_namespace_is_joined_by_path",
                "a_member_of_a_pod_sees_its_processes",
                "members_share_a_user_namespace_and_those_that_it_owns",
            ],
        ),
        row(Must, "`path` must be absolute", &["a_relative_namespace_path"]),
        row(
            Must,
            "`path` to something else is an error",
            &[
                "a_namespace_path_of_another_type",
                "a_namespace_path_that_does_not_exist",
                "a_namespace_path_to_an_ordinary_file",
            ],
        ),
        row(
            Must,
            "a type that is not given is inherited",
            &["a_namespace_not_asked_for_is_that_of_the_caller"],
        ),
        row(Must, "a type given twice is an error", &["a_namespace_twice"]),
        row(Must, "an unknown type is an error", &["an_unknown_namespace_type"]),
        row(
            Optional,
            "`uidMappings`, `gidMappings`",
            &[
                "the_maps_are_those_of_the_configuration",
                "several_ranges_are_mapped",
                "a_file_made_inside_belongs_to_the_mapped_user",
                "mappings_without_a_user_namespace",
                "a_user_namespace_without_mappings",
                "a_user_who_is_not_mapped_is_an_error",
            ],
        ),
        row(
            Optional,
            "`uidMappings`, `gidMappings` of subordinate ids",
            &[
                "the_maps_of_subordinate_ids_are_those_of_the_configuration",
                "a_program_runs_as_a_subordinate_user_with_groups",
                "ids_that_are_not_granted_are_an_error_that_names_them",
                "as_many_lines_as_the_kernel_takes_are_mapped",
                "one_line_more_is_an_error",
            ],
        ),
        row(
            Must,
            "`netDevices`: moved and set up, with all permanent addresses of global scope",
            &[
                "a_device_is_moved_into_the_container",
                "a_device_is_up_whether_it_was_or_not",
                "a_device_keeps_its_lasting_addresses",
                "a_device_loses_addresses_that_do_not_last",
                "a_device_keeps_its_hardware_address_and_its_mtu",
            ],
        ),
        row(
            Optional,
            "`netDevices`: `name`, with `%d` for the first free number",
            &["a_device_is_renamed", "a_template_gives_the_first_free_name"],
        ),
        row(
            Must,
            "`netDevices`: a name that is taken is an error",
            &["a_name_that_is_taken_is_an_error", "a_name_that_is_none_is_an_error"],
        ),
        row(
            Optional,
            "`timeOffsets`: `monotonic`, `boottime`, `secs`, `nanosecs`",
            &[
                "the_clocks_of_a_time_namespace_are_moved",
                "a_clock_may_be_moved_by_nanoseconds_and_alone",
                "offsets_without_a_time_namespace_are_an_error",
                "offsets_for_a_joined_time_namespace_are_an_error",
                "an_unknown_clock_or_too_many_nanoseconds_are_an_error",
                "a_clock_before_zero_is_an_error",
            ],
        ),
    ],
};

pub(super) const DEVICES: Section = Section {
    title: "linux.devices",
    rows: &[
        row(
            Must,
            "types `c`, `b` and `u`",
            &["a_device_of_the_configuration_is_made", "a_device_of_an_unknown_type"],
        ),
        row(Must, "type `p`", &["a_fifo_of_the_configuration_is_made"]),
        row(
            Must,
            "`path`, anywhere",
            &["a_device_in_a_directory_of_its_own_is_made", "a_device_outside_dev_is_made"],
        ),
        row(Must, "another file at `path` is an error", &["a_file_that_is_no_such_device_is_an_error"]),
        row(May, "the device is there already", &["a_device_that_is_there_already_is_used"]),
        row(Must, "`major`, `minor`", &["a_device_of_the_configuration_is_made"]),
        row(
            Own,
            "annotation `tierce.mknod`",
            &[
                "a_node_that_nobody_has_listed_cannot_be_made",
                "with_the_annotation_every_node_can_be_made_and_that_opens_nothing",
            ],
        ),
        row(
            Optional,
            "`fileMode`, `uid`, `gid`",
            &[
                "a_device_of_the_configuration_is_made",
                "a_fifo_of_the_configuration_is_made",
                "a_device_has_mode_0666_unless_told",
                "a_device_does_not_get_the_umask_of_the_caller",
            ],
        ),
        row(
            Must,
            "the default devices",
            &[
                "the_default_devices_are_there",
                "the_default_devices_work",
                "a_device_named_like_a_default_one_replaces_it",
                "the_default_devices_work_in_a_user_namespace",
            ],
        ),
        row(
            Must,
            "`/dev/console`",
            &["the_console_is_the_terminal", "there_is_no_console_without_a_terminal"],
        ),
        row(Must, "`/dev/ptmx`", &["ptmx_makes_a_terminal_of_the_container"]),
        row(Must, "`/dev/fd`, `stdin`, `stdout`, `stderr`", &["the_default_links_are_there"]),
        row(May, "no other device", &["there_is_no_device_of_the_host"]),
    ],
};

pub(super) const CGROUPS: Section = Section {
    title: "linux.cgroupsPath",
    rows: &[
        row(
            Must,
            "an absolute path",
            &["the_program_is_in_its_cgroup_in_every_hierarchy", "a_cgroups_path_of_several_levels_is_made"],
        ),
        row(May, "a relative path", &["a_relative_cgroups_path_is_below_one_of_the_runtime"]),
        row(May, "no path", &["without_a_cgroups_path_the_container_has_a_cgroup_of_its_own"]),
        row(Must, "a path that is refused is an error", &["a_cgroups_path_that_leads_out"]),
        row(
            May,
            "a cgroup that is not fit is refused",
            &[
                "a_cgroup_with_processes_is_refused",
                "a_frozen_cgroup_is_refused",
                "a_threaded_cgroup_is_refused",
            ],
        ),
        row(
            Should,
            "ownership",
            &[
                "a_writable_cgroup_belongs_to_the_root_of_the_user_namespace",
                "a_writable_cgroup_belongs_to_the_user_of_the_program",
                "a_read_only_cgroup_stays_roots",
                "a_cgroup_without_a_namespace_of_its_own_stays_roots",
                "a_cgroup_that_is_not_mounted_stays_roots",
            ],
        ),
        row(Own, "delegated to an ordinary user", &["a_memory_limit_of_an_ordinary_user_holds"]),
    ],
};

/// What a kernel with resctrl would have to show.
const NO_RESCTRL: &str = "the rest by goldens and unit tests only: no kernel at hand has resctrl";

pub(super) const OTHERS: Section = Section {
    title: "linux, other members",
    rows: &[
        row(Must, "`intelRdt` without resctrl is an error", &["without_resctrl_a_class_is_an_error"]),
        row(
            Optional,
            "`intelRdt`: `closID`, `schemata`, `l3CacheSchema`, `memBwSchema`, `enableMonitoring`",
            &["without_resctrl_a_class_is_an_error"],
        )
        .but(NO_RESCTRL),
        row(
            Optional,
            "`sysctl`",
            &[
                "sysctls_are_set_in_the_namespaces_of_the_container",
                "a_sysctl_with_slashes_is_the_same_as_with_dots",
                "sysctls_are_set_in_a_user_namespace",
                "a_sysctl_without_a_namespace",
                "a_sysctl_of_a_namespace_that_is_shared_with_the_host",
            ],
        ),
        row(
            Optional,
            "`memoryPolicy`",
            &[
                "every_mode_is_that_of_the_program",
                "flags_are_part_of_the_policy",
                "exec_has_the_policy_of_the_container",
                "a_node_that_is_not_there_is_refused",
            ],
        ),
        row(
            Optional,
            "`mountLabel`",
            &[
                "filesystems_of_the_container_have_the_mount_label",
                "filesystems_of_the_kernel_have_their_own_labels",
                "an_annotation_chooses_what_the_mount_label_is_for",
                "a_mount_label_that_the_policy_does_not_know_is_named",
            ],
        ),
        row(
            Optional,
            "`personality`",
            &[
                "a_32_bit_personality_shows_a_32_bit_machine",
                "a_personality_of_the_caller_is_not_kept_where_one_is_configured",
            ],
        ),
        row(
            Optional,
            "`rootfsPropagation`",
            &[
                "a_slave_rootfs_sees_new_mounts_of_the_host",
                "a_shared_rootfs_is_a_peer_group_of_its_own",
                "a_private_rootfs_is_private",
                "an_unknown_propagation_of_the_rootfs",
            ],
        ),
        row(
            Optional,
            "`maskedPaths`",
            &[
                "a_masked_file_is_empty",
                "a_masked_directory_is_empty_and_read_only",
                "a_masked_path_that_does_not_exist_is_ignored",
                "a_mask_cannot_be_written_through",
                "a_masked_path_stays_masked_whatever_a_hook_mounts_there",
                "masked_paths_without_a_mount_namespace",
            ],
        ),
        row(
            Optional,
            "`readonlyPaths`",
            &[
                "a_read_only_path_cannot_be_written_to",
                "a_read_only_directory_path_is_so_all_the_way_down",
                "a_read_only_path_that_does_not_exist_is_ignored",
            ],
        ),
    ],
};
