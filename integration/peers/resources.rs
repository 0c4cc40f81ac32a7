//! The differences of the chapters on resources.

use super::Expectation::FailsWithCgroupV1;
use super::{Kind, Peer};

pub(super) const PEERS: &[Peer] = &[
    // block_io
    (
        Kind::Crun,
        "the_weight_is_set",
        FailsWithCgroupV1("knows the file of the scheduler CFQ only, which Linux 5.0 removed"),
    ),
    (
        Kind::Crun,
        "a_device_has_a_weight_of_its_own",
        FailsWithCgroupV1("knows the file of the scheduler CFQ only, which Linux 5.0 removed"),
    ),
    (
        Kind::Crun,
        "a_leaf_weight_that_the_kernel_does_not_have_is_refused",
        FailsWithCgroupV1("leaves the cgroups behind"),
    ),
    (
        Kind::Crun,
        "block_io_of_a_device_that_is_not_there_is_refused",
        FailsWithCgroupV1("leaves the cgroups behind"),
    ),
    // huge_pages
    (
        Kind::Runc,
        "both_limits_of_a_size_are_set",
        FailsWithCgroupV1("looks for hugetlb among the v1 hierarchies only"),
    ),
    (
        Kind::Runc,
        "every_size_of_this_machine_can_be_limited",
        FailsWithCgroupV1("looks for hugetlb among the v1 hierarchies only"),
    ),
    (
        Kind::Runc,
        "more_huge_pages_than_the_limit_cannot_be_had",
        FailsWithCgroupV1("looks for hugetlb among the v1 hierarchies only"),
    ),
    (
        Kind::Runc,
        "a_size_that_the_machine_does_not_have_is_refused",
        FailsWithCgroupV1("looks for hugetlb among the v1 hierarchies only"),
    ),
];
