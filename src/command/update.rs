//! `update`: other limits for a container that is there, by the same plan as those of a new one.

use super::Env;
use crate::cli::{NewLimits, UpdateOptions};
use crate::error::{Context, Error, Result};
use crate::host::{cgroup, probe};
use crate::plan::{cgroup as plan, resctrl};
use crate::spec::annotations::{MKNOD, MKNOD_ANY};
use crate::spec::bundle;
use crate::spec::config::{IntelRdt, Resources};
use crate::spec::validate;
use crate::state::{self, Dir, State, Status};

/// Changes the limits; what is not given stays as it is.
///
/// # Errors
/// A value that is wrong or refused, with its name; then everything is as it was before.
pub fn run(env: &Env, options: &UpdateOptions) -> Result<()> {
    update(env, options).context(|| format!("update {}", options.id))
}

fn update(env: &Env, options: &UpdateOptions) -> Result<()> {
    let mut resources = match &options.limits {
        NewLimits::File(path) => bundle::load_resources(Some(path))?,
        NewLimits::Stdin => bundle::load_resources(None)?,
        NewLimits::Flags(resources) => resources.as_ref().clone(),
    };
    let dir = state::open(&env.root, &options.id)?;
    // One at a time, and none while it is created or deleted.
    if !dir.wait_until_made()? {
        return Err(state::missing(&options.id));
    }
    let state = dir.read_complete(&options.id)?;
    match dir.status(&state) {
        Status::Created | Status::Running | Status::Paused => {}
        Status::Creating => return Err(Error::new("the container is still being created")),
        Status::Stopped => return Err(Error::new("container not running")),
    }
    cgroup::present(&state.cgroup).complete(&mut resources);
    let change = decide(env, &state, &resources, &options.limits)?;
    let schemata = change_class(&state, options)?;
    cgroup::update(&change, state.cgroup.unit.as_ref()).inspect_err(|_| {
        if let (Some(class), Some(schemata)) = (&state.resctrl, schemata) {
            let _ = class.change(&schemata, "");
        }
    })?;
    record(&dir, state, &change)
}

/// The schemas of resctrl; gives what was there before.
fn change_class(state: &State, options: &UpdateOptions) -> Result<Option<String>> {
    let schemas = IntelRdt {
        l3_cache_schema: options.l3_cache_schema.clone(),
        mem_bw_schema: options.mem_bw_schema.clone(),
        ..IntelRdt::default()
    };
    let flag = if schemas.l3_cache_schema.is_some() { "--l3-cache-schema" } else { "--mem-bw-schema" };
    match (resctrl::plan(&schemas, &options.id).limits, &state.resctrl) {
        (None, _) => Ok(None),
        (Some(lines), Some(class)) => class.change(&lines, flag).map(Some),
        (Some(_), None) => Err(Error::new(format!("{flag}: the container is in no class of resctrl"))
            .hint("linux.intelRdt puts it into one when it is created")),
    }
}

fn decide(env: &Env, state: &State, resources: &Resources, limits: &NewLimits) -> Result<plan::CgroupPlan> {
    let named =
        |error: Error| error.with_each_mistake(|_, violation| violation.path = limits.label(&violation.path));
    let warnings = validate::check_resources(resources).map_err(named)?;
    for warning in warnings {
        crate::log::warn(format_args!("{}: {}", limits.label(&warning.path), warning.text));
    }
    let rootless = env.is_rootless(&probe::probe(false)?);
    let mknod_any = state.annotations.get(MKNOD).is_some_and(|which| which == MKNOD_ANY);
    let mut change = plan::update(state.cgroup.groups(), resources, mknod_any, rootless).map_err(named)?;
    change.relabel(|location| limits.label(location));
    Ok(change)
}

/// Whoever joins the container later may not stay outside of a group that has limits now.
fn record(dir: &Dir, mut state: State, change: &plan::CgroupPlan) -> Result<()> {
    let limited = |mount: &std::path::PathBuf| change.groups.iter().any(|group| group.mount == *mount);
    let before = state.cgroup.clone();
    for group in state.cgroup.groups.iter_mut().filter(|group| limited(&group.mount)) {
        group.optional = false;
    }
    if state.cgroup == before { Ok(()) } else { dir.write(&state) }
}
