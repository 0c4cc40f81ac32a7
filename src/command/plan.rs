//! `plan`: everything that would be done, in order, without doing it.

use super::{Env, make};
use crate::cli::{PlanFormat, PlanOptions};
use crate::error::{Context, Error, Result};
use crate::host::{notify, probe, resctrl};
use crate::plan::{self, Options, print};
use crate::state;

/// Prints the plan of a bundle.
///
/// # Errors
/// Those of `create` that can be known beforehand.
pub fn run(env: &Env, options: &PlanOptions) -> Result<()> {
    let text = show(env, options).context(|| "plan")?;
    super::print(&text)
}

fn show(env: &Env, options: &PlanOptions) -> Result<String> {
    let id = options.id.clone().unwrap_or_else(|| "ID".to_owned());
    state::check_id(&id)?;
    let mut bundle = make::load(&options.bundle, &options.config)?;
    notify::add_to(&mut bundle.spec, &env.root, &id);
    let facts = probe::probe(env.manager != plan::cgroup::Manager::Disabled)?;
    let inherited = make::inherited_fds(0)?;
    let plan_options = Options {
        id,
        bundle: bundle.dir.clone(),
        no_pivot: false,
        new_keyring: true,
        preserve_fds: inherited.count,
        listen: inherited.listen,
        cgroup_manager: env.manager,
        rootless: env.is_rootless(&facts),
    };
    let plan =
        plan::container(&bundle.spec, &facts, &plan_options).context(|| make::name(&options.config))?;
    make::check_cgroup(&plan)?;
    resctrl::check(&plan)?;
    super::warn(&plan.warnings);
    let lines = print::lines(&plan);
    match options.format {
        PlanFormat::Text => Ok(print::text(&lines)),
        PlanFormat::Json => {
            let value = serde_json::to_value(&lines).map_err(|e| Error::new(e.to_string()))?;
            Ok(super::json::pretty(&value))
        }
    }
}
