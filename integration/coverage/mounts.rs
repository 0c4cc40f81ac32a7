//! config.md: `mounts`, and every option of its table.

use super::{May, Must, Own, Section, Should, row};

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
        row(Must, "a relative `destination`", &["a_relative_destination_begins_at_the_root"]),
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
            Must,
            "`options` of any length",
            &[
                "a_list_of_more_than_a_page_is_taken",
                "a_list_of_many_layers_is_taken",
                "a_list_with_very_long_paths_is_taken",
            ],
        ),
        row(
            Must,
            "`type` `overlay`",
            &[
                "an_overlay_shows_its_layers_and_writes_to_the_upper_one",
                "an_overlay_works_in_a_user_namespace",
                "a_missing_layer_is_an_error",
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
        row(Must, "`ro`", &["a_read_only_bind_mount_cannot_be_written_to", "a_tmpfs_is_read_only_if_told"]),
        row(Must, "`rw`", &["a_bind_mount_is_written_through", "a_sysfs_is_writable_if_told"]),
        row(
            Must,
            "`nosuid`, `suid`",
            &["the_flags_of_a_bind_mount_are_seen", "rnosuid_and_rsuid_reach_the_mounts_below"],
        ),
        row(
            Must,
            "`nodev`, `dev`",
            &["a_bind_mount_has_no_devices_if_told", "rnodev_and_rdev_reach_the_mounts_below"],
        ),
        row(
            Must,
            "`noexec`, `exec`",
            &["a_bind_mount_is_not_executable_if_told", "rnoexec_and_rexec_reach_the_mounts_below"],
        ),
        row(
            Must,
            "`sync`, `async`",
            &["flags_of_the_superblock_are_set", "flags_of_the_superblock_are_cleared_by_their_opposites"],
        ),
        row(Must, "`dirsync`", &["flags_of_the_superblock_are_set"]),
        row(
            Must,
            "`remount`",
            &[
                "a_remount_changes_the_size_of_a_tmpfs",
                "a_remount_makes_a_mount_read_only",
                "a_remount_makes_a_mount_writable_again",
            ],
        ),
        row(
            Must,
            "`atime`, `noatime`, `relatime`, `norelatime`, `strictatime`, `nostrictatime`",
            &[
                "atime_options_are_set",
                "an_access_time_is_kept_as_told",
                "the_spellings_of_relatime_are_the_same",
            ],
        ),
        row(
            Must,
            "`diratime`, `nodiratime`",
            &["an_access_time_is_kept_as_told", "the_flags_of_a_bind_mount_are_seen"],
        ),
        row(
            Must,
            "`iversion`, `noiversion`",
            &["iversion_goes_with_all_other_options", "lazytime_iversion_and_loud_are_options"],
        ),
        row(
            Must,
            "`lazytime`, `nolazytime`",
            &[
                "lazytime_iversion_and_loud_are_options",
                "flags_of_the_superblock_are_cleared_by_their_opposites",
            ],
        ),
        row(Must, "`loud`, `silent`", &["lazytime_iversion_and_loud_are_options"]),
        row(
            Should,
            "`symfollow`, `nosymfollow`",
            &["a_symbolic_link_is_not_followed_on_a_mount_that_says_so"],
        ),
        row(May, "`mand`, `nomand`", &["flags_of_the_superblock_are_set"]),
        row(Must, "`private`, `rprivate`", &["a_private_bind_mount_sees_no_new_mounts_of_the_host"]),
        row(Must, "`shared`, `rshared`", &["a_shared_bind_mount_shows_its_mounts_to_the_host"]),
        row(
            Must,
            "`slave`, `rslave`",
            &[
                "a_slave_bind_mount_sees_new_mounts_of_the_host",
                "a_slave_bind_mount_keeps_its_own_mounts_to_itself",
            ],
        ),
        row(Must, "`unbindable`, `runbindable`", &["an_unbindable_bind_mount_says_so"]),
        row(
            Should,
            "`rro`, `rrw`",
            &["a_recursively_read_only_bind_mount_is_so_below_too", "rro_and_rrw_reach_the_mounts_below"],
        ),
        row(Should, "`rnosuid`, `rsuid`", &["rnosuid_and_rsuid_reach_the_mounts_below"]),
        row(Should, "`rnodev`, `rdev`", &["rnodev_and_rdev_reach_the_mounts_below"]),
        row(Should, "`rnoexec`, `rexec`", &["rnoexec_and_rexec_reach_the_mounts_below"]),
        row(Should, "`rnosymfollow`, `rsymfollow`", &["rnosymfollow_and_rsymfollow_reach_the_mounts_below"]),
        row(
            Should,
            "`ratime`, `rnoatime`, `rrelatime`, `rnorelatime`, `rstrictatime`, `rnostrictatime`, `rdiratime`, `rnodiratime`",
            &["access_time_options_reach_the_mounts_below"],
        ),
        row(
            Should,
            "`idmap`, `uidMappings`, `gidMappings`",
            &[
                "an_idmapped_bind_mount_shows_other_owners",
                "the_mapping_of_the_user_namespace_is_used_without_another",
                "mappings_without_the_option_are_used",
                "idmap_leaves_the_mounts_below_as_they_are",
                "an_idmapped_file_is_mounted",
                "an_idmapped_tmpfs_shows_other_owners",
                "an_idmapped_tmpfs_of_a_user_namespace_shows_other_owners",
                "what_the_host_forbids_on_the_source_stays_forbidden",
                "one_list_of_mappings_is_refused",
                "a_filesystem_that_cannot_is_an_error",
            ],
        ),
        row(Should, "`ridmap`", &["ridmap_reaches_the_mounts_below"]),
        row(
            May,
            "`tmpcopyup`",
            &[
                "a_tmpfs_can_start_with_a_copy_of_what_it_covers",
                "the_copy_has_the_files_and_the_image_stays_as_it_is",
                "it_is_for_tmpfs_alone",
            ],
        ),
        row(
            Own,
            "`idmap=IDS`",
            &["the_option_can_bring_its_ids", "ids_of_the_option_can_be_those_of_the_container"],
        ),
        row(
            Own,
            "annotation `tierce.root.idmap`",
            &[
                "an_idmapped_root_shows_the_owners_of_the_image",
                "an_idmapped_root_can_have_ids_of_its_own",
                "what_the_host_forbids_on_the_root_filesystem_stays_forbidden",
            ],
        ),
        row(Own, "`copy-symlink`", &["a_link_can_be_copied", "a_copied_link_replaces_nothing_else"]),
        row(Own, "`src-nofollow`", &["a_source_that_is_a_link_can_be_mounted_itself"]),
        row(Own, "`dest-nofollow`", &["a_target_that_is_a_link_can_be_covered_itself"]),
    ],
};
