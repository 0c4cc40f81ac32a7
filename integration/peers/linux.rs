//! The differences of the chapters on the members of `linux`.

use super::Expectation::{Fails, FailsWithCgroupV1, NotRun};
use super::{Kind, Peer};

pub(super) const PEERS: &[Peer] = &[
    // limits_v1
    (
        Kind::Runc,
        "memory_of_tcp_buffers_is_limited",
        FailsWithCgroupV1("ignores the limits of kernel memory"),
    ),
    (
        Kind::Crun,
        "a_share_of_real_time_is_set",
        FailsWithCgroupV1("leaves the cgroups behind when the kernel refuses a limit"),
    ),
    // resctrl
    (
        Kind::Runc,
        "without_resctrl_a_class_is_an_error",
        Fails("starts the container without a class if only that was asked for"),
    ),
    (
        Kind::Crun,
        "without_resctrl_a_class_is_an_error",
        Fails("starts the container without a class if only that was asked for"),
    ),
    // platforms
    (Kind::Runc, "a_virtual_machine_is_refused", Fails("ignores the section")),
    (Kind::Crun, "a_virtual_machine_is_refused", Fails("ignores the section")),
    (
        Kind::Crun,
        "a_configuration_for_another_system_is_refused",
        NotRun("mounts on the host without a section linux"),
    ),
    (Kind::Crun, "an_empty_section_asks_for_no_virtual_machine", Fails("wants the kernel of the machine")),
    // annotations
    (Kind::Runc, "a_handler_that_is_not_there_is_an_error", Fails("does not know the annotation of crun")),
    (Kind::Crun, "a_handler_that_is_not_there_is_an_error", Fails("ignores a handler that it does not know")),
    // devices
    (Kind::Runc, "a_file_that_is_no_such_device_is_an_error", Fails("takes any file for the device")),
    (Kind::Crun, "a_file_that_is_no_such_device_is_an_error", Fails("takes any file for the device")),
    // device_rules
    (
        Kind::Runc,
        "a_node_that_nobody_has_listed_cannot_be_made",
        Fails("lets all nodes be made, by default rules that come after those of the configuration"),
    ),
    (
        Kind::Crun,
        "a_node_that_nobody_has_listed_cannot_be_made",
        Fails("lets all nodes be made, by default rules that come after those of the configuration"),
    ),
    // hooks
    (
        Kind::Runc,
        "poststart_hooks_do_not_run_if_the_program_cannot_be_executed",
        NotRun("`start` sometimes ends before the program has failed"),
    ),
];
