//! config.md: `mounts`, and every option of its table.

use super::{Must, Own, Section, Should, row};

pub(super) const MOUNTS: Section = Section {
    title: "mounts",
    rows: &[
        row(
            Must,
            "`destination`",
            &[
                "a_target_that_is_a_symbolic_link_stays_inside",
                "a_target_with_dots_stays_inside",
                "the_target_of_a_bind_mounted_file_is_made",
                "the_target_of_a_bind_mounted_directory_is_made",
                "a_mount_without_destination",
            ],
        ),
        row(
            Must,
            "`source`",
            &[
                "a_relative_bind_source_is_in_the_bundle",
                "a_source_with_spaces_works",
                "a_missing_bind_source_is_named",
            ],
        ),
        row(
            Must,
            "`type`",
            &[
                "proc_is_mounted",
                "dev_is_a_tmpfs_with_its_options",
                "dev_mqueue_is_mounted",
                "sys_is_read_only",
                "a_mount_of_an_unknown_type_is_refused",
                "a_bind_mount_without_a_type_is_known_by_its_option",
            ],
        ),
        row(
            Must,
            "the order of mounts",
            &["a_mount_inside_a_mount_works", "a_later_mount_covers_an_earlier_one"],
        ),
        row(
            Must,
            "`options` of a filesystem",
            &[
                "a_tmpfs_has_its_size",
                "a_tmpfs_has_its_mode_and_owner",
                "bad_mount_data_names_the_mount_and_the_errno",
            ],
        ),
        row(
            Should,
            "default filesystems",
            &[
                "proc_is_mounted",
                "sys_is_read_only",
                "dev_pts_is_a_new_instance_with_its_options",
                "dev_shm_is_a_tmpfs_for_everyone",
            ],
        ),
        row(
            Should,
            "type `cgroup`",
            &[
                "the_mounted_cgroups_are_those_of_the_container",
                "the_mounted_cgroups_are_read_only",
                "the_mounted_cgroups_are_writable_if_told",
                "the_mounted_cgroup_is_the_root_of_its_namespace",
            ],
        ),
        row(
            Own,
            "`--no-pivot`",
            &["without_a_pivot_the_root_is_the_same", "without_a_pivot_nothing_of_the_host_is_reachable"],
        ),
    ],
};

pub(super) const OPTIONS: Section = Section {
    title: "mount options",
    rows: &[
        row(
            Must,
            "`bind`",
            &["a_bind_mount_is_written_through", "a_bind_mount_leaves_the_mounts_below_behind"],
        ),
        row(Must, "`rbind`", &["a_recursive_bind_mount_brings_the_mounts_below"]),
    ],
};
