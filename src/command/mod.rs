//! One file a verb; each reads as the line: parse, validate, plan, launch, record.

pub mod create;
pub mod delete;
pub mod events;
pub mod exec;
pub mod features;
mod json;
pub mod kill;
pub mod list;
mod make;
pub mod pause;
pub mod plan;
pub mod ps;
pub mod run;
pub mod spec;
pub mod start;
pub mod state;
pub mod stats;
pub mod update;
pub mod wait;

use crate::cli::{CgroupManager, Command, Global, Invocation, Rootless};
use crate::error::{Context, Result};
use crate::plan::Facts;
use crate::plan::cgroup::Manager;
use crate::plan::cgroup::unit::UnitManager;
use crate::{log, state as record, sys};
use std::io::Write;
use std::path::PathBuf;

/// What all commands share.
#[derive(Debug)]
pub struct Env {
    /// The directory of the state directories.
    pub root: PathBuf,
    /// Who makes cgroups.
    pub manager: Manager,
    rootless: Rootless,
}

impl Env {
    fn new(global: &Global) -> Result<Env> {
        let manager = match global.cgroup_manager {
            CgroupManager::Cgroupfs => Manager::Cgroupfs,
            CgroupManager::Disabled => Manager::Disabled,
            CgroupManager::Systemd => Manager::Systemd,
        };
        let root = match &global.root {
            Some(root) => root.clone(),
            None => record::default_root(sys::process::effective_ids().0)?,
        };
        Ok(Env { root, manager, rootless: global.rootless })
    }

    /// Whose systemd is to make the cgroup, if one is to.
    pub fn unit_manager(&self, facts: &Facts) -> Option<UnitManager> {
        let manager = if self.is_rootless(facts) { UnitManager::User } else { UnitManager::System };
        (self.manager == Manager::Systemd).then_some(manager)
    }

    /// May this caller do without cgroups?
    pub fn is_rootless(&self, facts: &Facts) -> bool {
        match self.rootless {
            Rootless::True => true,
            Rootless::False => false,
            Rootless::Auto => facts.uid != 0 || facts.in_userns,
        }
    }
}

/// Does what the command line says; gives the exit status.
///
/// # Errors
/// Whatever did not work, ready to be shown.
pub fn run(invocation: &Invocation) -> Result<u8> {
    let env = Env::new(&invocation.global)?;
    match &invocation.command {
        Command::Create(options) => create::run(&env, options).map(|()| 0),
        Command::Run(options) => run::run(&env, options),
        Command::Start { id } => start::run(&env, id).map(|()| 0),
        Command::State { id } => state::run(&env, id).map(|()| 0),
        Command::Kill(options) => kill::run(&env, options).map(|()| 0),
        Command::Delete { id, force } => delete::run(&env, id, *force).map(|()| 0),
        Command::Ps(options) => ps::run(&env, options).map(|()| 0),
        Command::Events(options) => events::run(&env, options).map(|()| 0),
        Command::Stats(options) => stats::run(&env, options).map(|()| 0),
        Command::Pause { id } => pause::run(&env, id).map(|()| 0),
        Command::Resume { id } => pause::resume(&env, id).map(|()| 0),
        Command::List(options) => state::list(&env, options).map(|()| 0),
        Command::Spec(options) => spec::run(options).map(|()| 0),
        Command::Features => print(&json::pretty(&features::features())).map(|()| 0),
        Command::Plan(options) => plan::run(&env, options).map(|()| 0),
        Command::Wait { id } => wait::run(&env, id).map(|()| 0),
        Command::Exec(options) => exec::run(&env, options),
        Command::Update(options) => update::run(&env, options).map(|()| 0),
    }
}

/// Writes to standard output; a reader that went away is an error, not a panic.
pub fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).context(|| "standard output")
}

fn warn(warnings: &[String]) {
    for warning in warnings {
        log::warn(format_args!("{warning}"));
    }
}
