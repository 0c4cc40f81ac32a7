//! The differences of the chapters on the commands that use a container's cgroups.

use super::Expectation::{Fails, FailsWithCgroupV1, FailsWithCgroupV2Alone, NotRun};
use super::{Kind, Peer};

pub(super) const PEERS: &[Peer] = &[
    // pause
    (
        Kind::Runc,
        "a_signal_to_all_leaves_a_paused_container_paused",
        Fails("`kill --all` resumes the container"),
    ),
    (
        Kind::Crun,
        "a_signal_to_all_leaves_a_paused_container_paused",
        Fails("`kill --all` resumes the container"),
    ),
    (
        Kind::Crun,
        "a_container_that_forks_can_be_paused",
        NotRun("with cgroup v1 `pause` does not wait until all have stopped"),
    ),
    (Kind::Crun, "exec_in_a_paused_container_is_refused", Fails("says so in other words")),
    (Kind::Crun, "exec_that_ignores_the_pause_waits_for_its_end", Fails("has no --ignore-paused")),
    (
        Kind::Crun,
        "a_created_container_can_be_paused_and_started_later",
        Fails("says `created` of a created container that is paused"),
    ),
    (Kind::Crun, "only_a_running_container_can_be_paused", Fails("pauses a paused container")),
    (Kind::Crun, "only_a_paused_container_can_be_resumed", Fails("resumes a running container")),
    (
        Kind::Crun,
        "a_paused_container_can_be_killed",
        FailsWithCgroupV1("does not resume what it kills, and a process that v1 has frozen cannot end"),
    ),
    (
        Kind::Crun,
        "a_counter_stops_while_paused_and_goes_on_after",
        FailsWithCgroupV2Alone("`pause` does not wait until all have stopped"),
    ),
    (
        Kind::Crun,
        "every_process_of_a_container_stops",
        FailsWithCgroupV2Alone("`pause` does not wait until all have stopped"),
    ),
    // kill
    (Kind::Runc, "kill_all_without_a_cgroup_reaches_every_process", Fails("has no --cgroup-manager")),
    (
        Kind::Crun,
        "kill_all_without_a_cgroup_reaches_every_process",
        Fails("does nothing without a cgroup, and says nothing"),
    ),
    // ps
    (
        Kind::Runc,
        "ps_of_a_container_without_a_cgroup_goes_by_its_pid_namespace",
        Fails("has no --cgroup-manager"),
    ),
    (Kind::Crun, "the_table_is_what_the_ps_of_the_host_prints_of_them", Fails("prints only the pids")),
    (Kind::Crun, "options_behind_the_id_are_those_of_the_hosts_ps", Fails("prints only the pids")),
    (Kind::Crun, "a_table_without_pids_is_refused", Fails("says only that there are too many arguments")),
    (Kind::Crun, "ps_of_a_stopped_container_is_empty", Fails("ends with an error and without a text")),
    (Kind::Crun, "ps_of_a_container_without_a_cgroup_goes_by_its_pid_namespace", Fails("needs a cgroup")),
    // events
    (Kind::Runc, "pressure_is_told", Fails("tells no pressure with cgroup v1, nor did older releases")),
    (
        Kind::Runc,
        "events_come_at_the_interval_and_end_with_the_container",
        NotRun("goes on until the container is deleted"),
    ),
    (Kind::Runc, "an_oom_kill_is_an_event", NotRun("goes on until the container is deleted")),
    (Kind::Runc, "an_oom_kill_of_init_is_an_event", NotRun("goes on until the container is deleted")),
    (
        Kind::Runc,
        "an_oom_event_names_the_group_of_the_limit",
        NotRun("goes on until the container is deleted"),
    ),
    (Kind::Runc, "an_oom_event_names_a_group_above", NotRun("goes on until the container is deleted")),
    (
        Kind::Runc,
        "events_of_an_ordinary_user_in_a_delegated_part",
        NotRun("goes on until the container is deleted"),
    ),
    (Kind::Runc, "the_stats_table_shows_all_containers", Fails("has no `stats`")),
    (Kind::Runc, "stats_are_also_json_for_programs", Fails("has no `stats`")),
    (Kind::Crun, "stats_of_memory_agree_with_the_cgroup_files", Fails("has no `events`")),
    (Kind::Crun, "stats_of_processes_and_cpu_agree_with_the_cgroup_files", Fails("has no `events`")),
    (Kind::Crun, "stats_have_the_names_that_go_programs_read", Fails("has no `events`")),
    (Kind::Crun, "stats_grow_with_what_the_container_does", Fails("has no `events`")),
    (Kind::Crun, "throttling_is_counted", Fails("has no `events`")),
    (Kind::Crun, "pressure_is_told", Fails("has no `events`")),
    (Kind::Crun, "events_come_at_the_interval_and_end_with_the_container", Fails("has no `events`")),
    (Kind::Crun, "events_of_a_stopped_container_are_an_error", Fails("has no `events`")),
    (Kind::Crun, "an_oom_kill_is_an_event", Fails("has no `events`")),
    (Kind::Crun, "an_oom_kill_of_init_is_an_event", Fails("has no `events`")),
    (Kind::Crun, "an_oom_event_names_the_group_of_the_limit", Fails("has no `events`")),
    (Kind::Crun, "an_oom_event_names_a_group_above", Fails("has no `events`")),
    (Kind::Crun, "events_of_an_ordinary_user_in_a_delegated_part", Fails("has no `events`")),
    (Kind::Crun, "the_stats_table_shows_all_containers", Fails("has no `stats`")),
    (Kind::Crun, "stats_are_also_json_for_programs", Fails("has no `stats`")),
    // out_of_memory
    (Kind::Runc, "run_tells_that_the_program_was_killed_for_lack_of_memory", Fails("does not tell")),
    (Kind::Runc, "run_tells_it_in_the_log_too", Fails("does not tell")),
    (Kind::Runc, "exec_tells_that_the_program_was_killed_for_lack_of_memory", Fails("does not tell")),
    (Kind::Runc, "state_tells_it_after_the_end", Fails("does not tell")),
    (Kind::Runc, "a_child_that_was_killed_is_told_in_a_warning", Fails("does not tell")),
    (Kind::Crun, "run_tells_that_the_program_was_killed_for_lack_of_memory", Fails("does not tell")),
    (Kind::Crun, "run_tells_it_in_the_log_too", Fails("does not tell")),
    (Kind::Crun, "exec_tells_that_the_program_was_killed_for_lack_of_memory", Fails("does not tell")),
    (Kind::Crun, "state_tells_it_after_the_end", Fails("does not tell")),
    (Kind::Crun, "a_child_that_was_killed_is_told_in_a_warning", Fails("does not tell")),
];
