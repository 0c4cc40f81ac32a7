//! config-linux.md: `resources`, each of its fields.

use super::{May, Must, Optional, Section, Should, row};

pub(super) const RESOURCES: Section = Section {
    title: "linux.resources",
    rows: &[
        row(
            Must,
            "`devices`, their order",
            &[
                "a_later_device_rule_overrides_an_earlier_one",
                "what_a_later_rule_takes_away_is_gone",
                "a_rule_for_everything_forgets_all_before_it",
            ],
        ),
        row(
            Must,
            "`devices[].allow`",
            &["a_device_that_is_not_allowed_cannot_be_opened", "a_device_that_is_allowed_can_be_opened"],
        ),
        row(
            Optional,
            "`devices[].type`, `.major`, `.minor`",
            &["a_rule_is_for_its_type_its_numbers_and_its_access", "a_rule_for_all_minors_is_for_all_minors"],
        ),
        row(
            Optional,
            "`devices[].access`",
            &["a_device_allowed_for_reading_cannot_be_written_to", "opening_for_both_needs_both"],
        ),
        row(
            Optional,
            "`memory.limit`",
            &[
                "the_memory_limit_is_set",
                "too_much_memory_ends_the_program_with_137",
                "minus_one_is_no_limit",
            ],
        ),
        row(
            Optional,
            "`memory.reservation`",
            &["the_memory_reservation_is_set", "a_memory_reservation_and_a_limit_are_set_together"],
        ),
        row(Optional, "`memory.swap`", &["the_swap_limit_is_set", "swap_is_counted_with_memory"]),
        row(Optional, "`memory.kernel`", &[]).but("by the plan only: the kernel has ignored it since 5.16"),
        row(Optional, "`memory.kernelTCP`", &["memory_of_tcp_buffers_is_limited"]),
        row(Optional, "`memory.swappiness`", &["how_memory_is_swapped_out_is_set"]),
        row(Optional, "`memory.disableOOMKiller`", &["a_program_with_too_much_memory_waits_if_told"]),
        row(Optional, "`memory.useHierarchy`", &["memory_is_counted_with_the_groups_below"]),
        row(May, "`memory.checkBeforeUpdate`", &["a_limit_below_the_usage_is_refused_if_told"]),
        row(Optional, "`cpu.shares`", &["the_cpu_shares_are_set", "every_cpu_share_has_its_weight"]),
        row(
            Optional,
            "`cpu.quota`",
            &[
                "the_cpu_quota_is_set",
                "a_cpu_quota_slows_the_program_down",
                "an_impossible_cpu_quota_is_refused",
            ],
        ),
        row(Optional, "`cpu.period`", &["the_cpu_quota_is_set", "a_cpu_quota_without_a_period_is_of_100_ms"]),
        row(Optional, "`cpu.burst`", &["a_burst_is_allowed_on_top_of_the_quota"]),
        row(
            Optional,
            "`cpu.cpus`, `cpu.mems`",
            &[
                "the_cpus_are_chosen",
                "cpus_and_memory_nodes_are_the_chosen_ones",
                "a_cpu_that_does_not_exist_is_refused",
                "the_cpus_of_a_container_are_those_of_the_host_unless_told",
            ],
        ),
        row(Optional, "`cpu.realtimeRuntime`, `cpu.realtimePeriod`", &["a_share_of_real_time_is_set"]),
        row(Optional, "`cpu.idle`", &["an_idle_container_is_idle"]),
        row(
            Should,
            "`pids.limit`",
            &[
                "the_limit_of_processes_is_set",
                "too_many_processes_cannot_be_started",
                "a_single_process_cannot_fork",
            ],
        ),
        row(Optional, "`blockIO.weight`", &["the_weight_is_set"]),
        row(Optional, "`blockIO.leafWeight`", &["a_leaf_weight_that_the_kernel_does_not_have_is_refused"]),
        row(Optional, "`blockIO.weightDevice`", &["a_device_has_a_weight_of_its_own"]),
        row(Optional, "`blockIO.throttleReadBpsDevice`", &["reading_is_held_to_its_bytes_a_second"]),
        row(Optional, "`blockIO.throttleWriteBpsDevice`", &["writing_is_held_to_its_bytes_a_second"]),
        row(Optional, "`blockIO.throttleReadIOPSDevice`", &["reading_is_held_to_its_operations_a_second"]),
        row(Optional, "`blockIO.throttleWriteIOPSDevice`", &["writing_is_held_to_its_operations_a_second"]),
        row(
            Optional,
            "`hugepageLimits`",
            &[
                "both_limits_of_a_size_are_set",
                "more_huge_pages_than_the_limit_cannot_be_had",
                "a_size_that_the_machine_does_not_have_is_refused",
            ],
        ),
        row(Optional, "`network.classID`", &["packets_get_the_class_of_the_container"]),
        row(
            Optional,
            "`network.priorities`",
            &["interfaces_get_priorities", "an_interface_that_does_not_exist_is_refused"],
        ),
        row(Optional, "`rdma`", &["an_rdma_device_that_does_not_exist_is_refused"])
            .but("the values by goldens only: no machine at hand has such a device"),
        row(
            Must,
            "`unified`",
            &[
                "unified_values_are_set",
                "unified_files_of_several_controllers_are_written",
                "a_unified_value_of_several_lines_is_written_line_by_line",
                "unified_wins_over_the_other_resources",
            ],
        ),
        row(
            Must,
            "`unified`, a controller that is not there is an error",
            &[
                "a_unified_file_of_a_missing_controller_is_refused",
                "a_unified_file_that_does_not_exist_is_refused",
            ],
        ),
        row(Must, "what v2 has no equivalent of is an error", &["what_cgroup_v2_cannot_limit_is_refused"]),
    ],
};
