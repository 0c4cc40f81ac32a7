//! The differences of the chapters on resources.

use super::Expectation::{Fails, FailsWithCgroupV1, FailsWithCgroupV2Alone, NotRun};
use super::{Kind, Peer};

pub(super) const PEERS: &[Peer] = &[
    // block_io
    (
        Kind::Runc,
        "a_rate_of_zero_is_no_limit",
        FailsWithCgroupV2Alone("writes 0 to io.max, which the kernel refuses"),
    ),
    (
        Kind::Runc,
        "a_leaf_weight_that_the_kernel_does_not_have_is_refused",
        FailsWithCgroupV2Alone("ignores it"),
    ),
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
    // network_classes
    (Kind::Crun, "an_rdma_device_that_does_not_exist_is_refused", Fails("ignores RDMA limits")),
    (
        Kind::Crun,
        "what_asks_for_nothing_is_ignored",
        FailsWithCgroupV1("wants a group for the class 0 of packets"),
    ),
    // update
    (
        Kind::Runc,
        "memory_and_swap_are_raised_and_lowered_in_any_order",
        FailsWithCgroupV2Alone("does not change swap without memory"),
    ),
    (
        Kind::Runc,
        "a_later_exec_is_under_the_new_limits",
        FailsWithCgroupV2Alone("its own threads are counted"),
    ),
    (Kind::Crun, "device_rules_are_replaced_without_a_gap", NotRun("denies everything for a moment")),
    (Kind::Runc, "every_flag_changes_its_limit", Fails("has no --cpu-burst nor --cpu-idle")),
    (
        Kind::Runc,
        "every_limit_is_taken_from_a_file",
        Fails("ignores a burst, and has the older weight for CPU shares"),
    ),
    (Kind::Runc, "idle_and_shares_change_together", Fails("ignores idle")),
    (Kind::Runc, "block_io_is_limited_by_an_update", Fails("takes the weight of block I/O only")),
    (Kind::Runc, "device_rules_are_replaced", Fails("ignores device rules")),
    (Kind::Runc, "a_huge_page_limit_is_changed", Fails("ignores huge page limits")),
    (Kind::Runc, "a_value_out_of_its_range_is_refused", Fails("ignores some of them")),
    (Kind::Runc, "a_file_and_flags_exclude_each_other", Fails("ignores the flags beside a file")),
    (Kind::Runc, "without_any_limit_there_is_nothing_to_do", Fails("does nothing, and says so to nobody")),
    (Kind::Runc, "device_rules_are_put_back_after_a_failure", Fails("ignores device rules")),
    (Kind::Runc, "a_controller_that_is_not_there_is_told", Fails("ignores classes of packets")),
    (Kind::Crun, "a_size_may_have_a_suffix", Fails("takes bytes only")),
    (
        Kind::Crun,
        "every_limit_is_taken_from_a_file",
        FailsWithCgroupV1("knows the file of the scheduler CFQ only, which Linux 5.0 removed"),
    ),
    (
        Kind::Crun,
        "every_flag_changes_its_limit",
        FailsWithCgroupV1("knows the file of the scheduler CFQ only, which Linux 5.0 removed"),
    ),
    (
        Kind::Crun,
        "what_is_not_given_stays",
        FailsWithCgroupV1("knows the file of the scheduler CFQ only, which Linux 5.0 removed"),
    ),
    (Kind::Crun, "a_limit_can_be_lifted", FailsWithCgroupV1("writes -1 to pids.max, which takes `max`")),
    (
        Kind::Crun,
        "idle_and_shares_change_together",
        FailsWithCgroupV1("writes the shares while the group is still idle"),
    ),
    (Kind::Crun, "device_rules_are_replaced", FailsWithCgroupV1("writes -1 to pids.max, which takes `max`")),
    // update_refused
    (
        Kind::Crun,
        "a_value_out_of_its_range_is_refused",
        FailsWithCgroupV1("leaves what it has written before it fails"),
    ),
    (Kind::Crun, "a_file_that_is_no_json_is_refused", Fails("takes a list for no limits")),
    (Kind::Crun, "without_any_limit_there_is_nothing_to_do", Fails("does nothing, and says so to nobody")),
    (Kind::Crun, "a_container_that_does_not_exist_is_not_updated", Fails("says only that a file is missing")),
    (Kind::Crun, "a_file_and_flags_exclude_each_other", Fails("ignores the flags beside a file")),
    (
        Kind::Crun,
        "a_container_that_has_stopped_is_not_updated",
        Fails("writes to the cgroup that is still there"),
    ),
    (
        Kind::Crun,
        "what_was_written_before_the_failure_is_put_back",
        Fails("leaves what it has written before it fails"),
    ),
    (
        Kind::Crun,
        "a_limit_that_the_kernel_refuses_is_named",
        FailsWithCgroupV1("names the file without the value"),
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
