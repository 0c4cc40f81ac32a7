//! The differences of the chapters on the members of `linux`.

use super::Expectation::{Fails, FailsWithCgroupV1};
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
];
