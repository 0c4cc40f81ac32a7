//! Black-box tests of an OCI runtime: they call the program as managers do and measure effects.
//!
//! `RUNTIME=/path` chooses the runtime (tierce, runc or crun), see README.md beside this file.

#[cfg(not(panic = "unwind"))]
compile_error!("a failed case is a caught panic: build this with panic = \"unwind\"");

mod activation;
mod annotations;
mod apparmor;
mod block_io;
mod bundle_examples;
mod capabilities;
mod cgroup_ownership;
mod cgroup_parents;
mod cgroups;
mod cli;
mod console_socket;
mod coverage;
mod create_and_start;
mod delegation;
mod delegation_refused;
mod delete;
mod device_rules;
mod devices;
mod errors;
mod events;
mod exec;
mod exec_cgroups;
mod exec_confinement;
mod exec_held;
mod exec_terminal;
mod harness;
mod hook_failures;
mod hook_programs;
mod hooks;
mod huge_pages;
mod identifiers;
mod idmapped_mounts;
mod invalid_configs;
mod kill;
mod limit_effects;
mod limits_v1;
mod memory_policy;
mod mount_attributes;
mod mount_links;
mod mount_options;
mod mounts;
mod namespaces;
mod nested_cgroups;
mod net_devices;
mod network_classes;
mod notify;
mod out_of_memory;
mod overlay_mounts;
mod parallel;
mod pause;
mod peers;
mod platforms;
mod pods;
mod process;
mod process_home;
mod propagation;
mod ps;
mod resctrl;
mod resource_limits;
mod rootfs;
mod rootless;
mod run;
mod runtime_file;
mod scheduling;
mod seccomp;
mod seccomp_notify;
mod security;
mod selinux;
mod spec_and_features;
mod state;
mod subordinate_ids;
mod suite;
mod supervision;
mod systemd;
mod systemd_refused;
mod systemd_update;
mod systemd_user;
mod terminal;
mod terminal_bytes;
mod terminal_jobs;
mod time_namespace;
mod tmpcopyup;
mod unified;
mod update;
mod update_refused;
mod user_managers;
mod user_namespaces;
mod user_session;

use harness::case::CaseDef;

/// Every chapter, in the order of the report.
const CHAPTERS: &[&[CaseDef]] = &[
    suite::CASES,
    cli::CASES,
    spec_and_features::CASES,
    run::CASES,
    create_and_start::CASES,
    state::CASES,
    annotations::CASES,
    kill::CASES,
    exec::CASES,
    exec_confinement::CASES,
    exec_cgroups::CASES,
    exec_held::CASES,
    supervision::CASES,
    activation::CASES,
    notify::CASES,
    pause::CASES,
    ps::CASES,
    events::CASES,
    out_of_memory::CASES,
    delete::CASES,
    identifiers::CASES,
    parallel::CASES,
    errors::CASES,
    invalid_configs::CASES,
    platforms::CASES,
    process::CASES,
    process_home::CASES,
    scheduling::CASES,
    memory_policy::CASES,
    apparmor::CASES,
    selinux::CASES,
    terminal::CASES,
    exec_terminal::CASES,
    terminal_bytes::CASES,
    terminal_jobs::CASES,
    console_socket::CASES,
    capabilities::CASES,
    seccomp::CASES,
    seccomp_notify::CASES,
    namespaces::CASES,
    user_namespaces::CASES,
    time_namespace::CASES,
    pods::CASES,
    subordinate_ids::CASES,
    net_devices::CASES,
    rootfs::CASES,
    mounts::CASES,
    mount_options::CASES,
    mount_attributes::CASES,
    mount_links::CASES,
    tmpcopyup::CASES,
    overlay_mounts::CASES,
    idmapped_mounts::CASES,
    propagation::CASES,
    devices::CASES,
    hooks::CASES,
    hook_programs::CASES,
    hook_failures::CASES,
    device_rules::CASES,
    cgroups::CASES,
    cgroup_parents::CASES,
    nested_cgroups::CASES,
    resource_limits::CASES,
    limit_effects::CASES,
    limits_v1::CASES,
    block_io::CASES,
    huge_pages::CASES,
    network_classes::CASES,
    unified::CASES,
    resctrl::CASES,
    update::CASES,
    update_refused::CASES,
    rootless::CASES,
    delegation::CASES,
    delegation_refused::CASES,
    user_managers::CASES,
    user_session::CASES,
    systemd::CASES,
    systemd_user::CASES,
    systemd_update::CASES,
    systemd_refused::CASES,
    cgroup_ownership::CASES,
    runtime_file::CASES,
    bundle_examples::CASES,
];

fn main() -> std::process::ExitCode {
    harness::main(CHAPTERS)
}
