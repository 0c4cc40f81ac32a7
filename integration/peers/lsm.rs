//! The differences of the chapters on AppArmor and SELinux.

use super::Expectation::Fails;
use super::{Kind, Peer};

pub(super) const PEERS: &[Peer] = &[
    (Kind::Runc, "a_profile_that_is_not_loaded_is_named", Fails("names the file only")),
    (Kind::Runc, "exec_names_a_profile_that_is_not_loaded", Fails("names the file only")),
    (
        Kind::Runc,
        "exec_has_the_profile_of_the_container",
        Fails("is unconfined if a process.json names no profile"),
    ),
    (Kind::Runc, "a_profile_without_apparmor_is_refused", Fails("refuses `unconfined` too")),
    (Kind::Runc, "a_label_that_the_policy_does_not_know_is_named", Fails("names the file only")),
    (
        Kind::Runc,
        "an_annotation_chooses_what_the_mount_label_is_for",
        Fails("has no such annotation, which is crun's"),
    ),
    (
        Kind::Runc,
        "an_option_of_the_mount_goes_before_the_mount_label",
        Fails("gives the kernel both, which it refuses"),
    ),
    (
        Kind::Runc,
        "labels_without_selinux_are_refused",
        Fails("ends with an error that does not name SELinux"),
    ),
    (Kind::Crun, "a_profile_that_is_not_loaded_is_named", Fails("names the file only")),
    (Kind::Crun, "exec_names_a_profile_that_is_not_loaded", Fails("names the file only")),
    (Kind::Crun, "a_profile_without_apparmor_is_refused", Fails("refuses `unconfined` too")),
    (Kind::Crun, "a_label_that_the_policy_does_not_know_is_named", Fails("names the file only")),
    (Kind::Crun, "a_mount_label_that_the_policy_does_not_know_is_named", Fails("names the mount only")),
    (
        Kind::Crun,
        "an_annotation_chooses_what_the_mount_label_is_for",
        Fails("does not name a value that is none"),
    ),
    (
        Kind::Crun,
        "an_option_of_the_mount_goes_before_the_mount_label",
        Fails("gives the kernel both, which it refuses"),
    ),
    (
        Kind::Crun,
        "labels_without_selinux_are_refused",
        Fails("ends with an error that does not name SELinux"),
    ),
];
