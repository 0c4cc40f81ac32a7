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
    // cgroup_parents
    (
        Kind::Runc,
        "a_threaded_cgroup_is_refused",
        FailsWithCgroupV1("does not look at the v2 hierarchy of a hybrid machine"),
    ),
    (
        Kind::Runc,
        "a_cgroup_below_a_threaded_one_is_refused",
        FailsWithCgroupV1("does not look at the v2 hierarchy of a hybrid machine"),
    ),
    (
        Kind::Runc,
        "a_cgroup_of_another_pid_namespace_is_not_empty",
        FailsWithCgroupV1("does not look for processes of another pid namespace"),
    ),
    (
        Kind::Runc,
        "a_refused_limit_leaves_no_parent_behind",
        FailsWithCgroupV1("leaves the parents that it has made"),
    ),
    // nested_cgroups
    (Kind::Runc, "delete_removes_cgroups_whose_path_is_too_long", FailsWithCgroupV1("cannot open them")),
    // device_rules
    (
        Kind::Runc,
        "opening_for_both_needs_both",
        FailsWithCgroupV1("writes the rules as they are, and v1 looks at one at a time"),
    ),
    (
        Kind::Runc,
        "what_is_allowed_by_default_can_be_denied",
        FailsWithCgroupV1("lets what is denied not be made either"),
    ),
    (
        Kind::Crun,
        "opening_for_both_needs_both",
        FailsWithCgroupV1("writes the rules as they are, and v1 looks at one at a time"),
    ),
    (
        Kind::Crun,
        "what_is_allowed_by_default_can_be_denied",
        FailsWithCgroupV1("lets what is denied not be made either"),
    ),
    // limit_effects
    (Kind::Runc, "a_burst_is_allowed_on_top_of_the_quota", Fails("has no burst")),
    (Kind::Runc, "an_idle_container_is_idle", Fails("has no cpu.idle")),
    (Kind::Runc, "a_single_process_cannot_fork", Fails("takes a limit of 0 for none")),
    // unified
    (
        Kind::Runc,
        "a_unified_file_of_a_missing_controller_is_refused",
        FailsWithCgroupV1("takes `unified` with cgroup v2 alone"),
    ),
    (
        Kind::Runc,
        "a_unified_huge_page_limit_is_set",
        FailsWithCgroupV1("takes `unified` with cgroup v2 alone"),
    ),
    (
        Kind::Runc,
        "a_unified_key_that_acts_on_processes_is_refused",
        FailsWithCgroupV1("takes `unified` with cgroup v2 alone"),
    ),
    (Kind::Crun, "a_burst_is_allowed_on_top_of_the_quota", FailsWithCgroupV1("has no burst in this version")),
    (
        Kind::Crun,
        "a_cpu_quota_without_a_period_is_of_100_ms",
        FailsWithCgroupV1("writes the quota before the period, which the kernel refuses"),
    ),
    (
        Kind::Crun,
        "a_cpu_that_does_not_exist_is_refused",
        FailsWithCgroupV1("leaves its cgroups behind when the kernel refuses a limit"),
    ),
    (
        Kind::Crun,
        "a_cpu_that_the_parent_does_not_have_is_refused",
        FailsWithCgroupV1("leaves its cgroups behind when the kernel refuses a limit"),
    ),
    (Kind::Crun, "a_single_process_cannot_fork", Fails("takes a limit of 0 for none")),
    (
        Kind::Crun,
        "swap_is_counted_with_memory",
        FailsWithCgroupV1("writes the limits in an order that the kernel refuses"),
    ),
    (Kind::Crun, "a_frozen_container_can_be_killed", FailsWithCgroupV1("does not thaw what it kills")),
    (
        Kind::Crun,
        "delete_removes_very_many_cgroups",
        FailsWithCgroupV1("needs more open files than there are"),
    ),
    (
        Kind::Crun,
        "a_unified_key_that_is_no_file_name_is_refused",
        FailsWithCgroupV1("leaves its cgroups behind when it refuses `unified`"),
    ),
    (
        Kind::Crun,
        "unified_needs_cgroup_v2",
        FailsWithCgroupV1("leaves its cgroups behind when it refuses `unified`"),
    ),
    (
        Kind::Runc,
        "a_cgroup_below_one_with_processes_is_used",
        FailsWithCgroupV1("leaves the cgroups above its own"),
    ),
    (
        Kind::Runc,
        "a_cgroup_that_may_not_be_made_is_refused_with_the_reason",
        FailsWithCgroupV1("does not look at the v2 hierarchy of a hybrid machine"),
    ),
    (Kind::Runc, "the_cgroup_below_a_frozen_one_is_refused", NotRun("hangs")),
    (
        Kind::Runc,
        "a_member_is_known_however_slow_the_process_is_that_makes_it",
        NotRun("about a process in between that it does not make in this way"),
    ),
    (Kind::Crun, "the_cgroup_below_a_frozen_one_is_refused", NotRun("hangs")),
    (Kind::Crun, "a_frozen_cgroup_is_refused", NotRun("hangs")),
    (
        Kind::Crun,
        "a_refused_limit_leaves_no_parent_behind",
        FailsWithCgroupV1("leaves the parents that it has made"),
    ),
];
