//! `state` and `list`: what is there (runtime.md, "State").

use super::Env;
use super::list::{self, Entry};
use crate::cli::ListOptions;
use crate::error::{Context, Error, Result};
use crate::host::oom;
use crate::state::{self, State, Status};

/// Prints the state of a container.
///
/// # Errors
/// There is none.
pub fn run(env: &Env, id: &str) -> Result<()> {
    let entry = with_oom(env, id).context(|| format!("state {id}"))?;
    let text = serde_json::to_string_pretty(&entry).map_err(|e| Error::new(e.to_string()))?;
    super::print(&(text + "\n"))
}

/// Prints all containers; one that cannot be read is a warning, not the end of the list.
///
/// # Errors
/// The root cannot be read.
pub fn list(env: &Env, options: &ListOptions) -> Result<()> {
    let mut entries = Vec::new();
    for id in state::ids(&env.root).context(|| "list")? {
        match entry(env, &id) {
            Ok(entry) => entries.push(entry),
            // Deleted since the directory was read.
            Err(_) if matches!(state::find(&env.root, &id), Ok(None)) => {}
            Err(e) => crate::log::warn(format_args!("list: {}", e.one_line())),
        }
    }
    super::print(&list::render(&entries, options.format, options.quiet))
}

/// As long as its cgroup is there, its end can be explained.
fn with_oom(env: &Env, id: &str) -> Result<Entry> {
    let dir = state::open(&env.root, id)?;
    let state = dir.read_complete(id)?;
    let status = dir.status(&state);
    let oom = oom::since(&state.cgroup, 0);
    Ok(Entry { oom, ..of(state, status) })
}

fn entry(env: &Env, id: &str) -> Result<Entry> {
    let dir = state::open(&env.root, id)?;
    let state = dir.read_complete(id)?;
    let status = dir.status(&state);
    Ok(of(state, status))
}

fn of(state: State, status: Status) -> Entry {
    Entry {
        oci_version: state.oci_version,
        id: state.id,
        pid: if matches!(status, Status::Created | Status::Running | Status::Paused) { state.pid } else { 0 },
        status: status.name().to_owned(),
        bundle: state.bundle.to_string_lossy().into_owned(),
        rootfs: state.rootfs.to_string_lossy().into_owned(),
        created: state.created,
        annotations: state.annotations,
        oom: None,
        owner: owner(state.owner),
    }
}

/// The name of a uid, from /etc/passwd alone: name services would load libraries.
fn owner(uid: u32) -> String {
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == uid.to_string()).then(|| name.to_owned())
    });
    name.unwrap_or_else(|| format!("#{uid}"))
}
