//! Annotations that are obeyed, and features.md.

use super::{Must, Optional, Own, Section, row};

pub(super) const ANNOTATIONS: Section = Section {
    title: "annotations",
    rows: &[
        row(Must, "all are in the state", &["all_annotations_are_in_the_state"]),
        row(
            Own,
            "`run.oci.hooks.stdout`, `run.oci.hooks.stderr`",
            &[
                "what_hooks_write_is_appended_to_the_files_of_the_annotations",
                "a_file_of_the_annotations_that_cannot_be_opened_is_an_error",
            ],
        ),
        row(Own, "`org.systemd.property.*`", &["an_annotation_is_a_property_of_the_scope"]),
        row(Own, "`run.oci.handler`", &["a_handler_that_is_not_there_is_an_error"]),
        row(Own, "`run.oci.pidfd_receiver`", &["a_pidfd_of_init_is_sent_where_an_annotation_says"]),
        row(Own, "`run.oci.seccomp.receiver`", &["the_receiver_of_an_annotation_is_an_agent"]),
        row(Own, "`run.oci.seccomp_bpf_data`", &["a_program_in_an_annotation_takes_the_place_of_the_rules"]),
        row(
            Own,
            "`run.oci.seccomp_fail_unknown_syscall`",
            &["an_unknown_system_call_is_an_error_where_an_annotation_says_so"],
        ),
    ],
};

pub(super) const FEATURES: Section = Section {
    title: "features",
    rows: &[
        row(Must, "`ociVersionMin`, `ociVersionMax`", &["features_is_json_with_the_range_of_versions"]),
        row(
            Optional,
            "`hooks`, `mountOptions`, `linux.namespaces`, `.capabilities`, `.cgroup`, `.seccomp`",
            &["features_names_what_the_runtime_knows"],
        ),
        row(
            Optional,
            "`linux.apparmor`, `.selinux`, `.intelRdt`, `.memoryPolicy`, `.mountExtensions`, `.netDevices`, \
             `.seccomp.knownFlags`, `.supportedFlags`; `potentiallyUnsafeConfigAnnotations`",
            &["features_names_what_newer_versions_of_the_specification_have"],
        ),
    ],
};
