//! The processes of a container: by its cgroups, or where it has none by its pid namespace.

use super::cgroup;
use crate::error::{Error, Result};
use crate::state::{self, State};
use std::collections::HashSet;
use std::fs;

/// The pids of all of them, as this pid namespace sees them, sorted.
///
/// # Errors
/// The container has neither.
pub fn of(state: &State) -> Result<Vec<i32>> {
    let mut pids = match (state.cgroup.groups.is_empty(), state.ends_with_init) {
        (false, _) => cgroup::processes(&state.cgroup)?,
        (true, true) => in_pid_namespace(state),
        (true, false) => {
            return Err(Error::new(
                "the container has neither a cgroup nor a pid namespace of its own: \
                 its processes are not known",
            ));
        }
    };
    pids.sort_unstable();
    Ok(pids)
}

/// Those in the namespace of init, and their descendants: in a namespace below it an orphan becomes a child of
/// the init there.
fn in_pid_namespace(state: &State) -> Vec<i32> {
    let namespace = |pid: i32| fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
    let Some(own) = namespace(state.pid).filter(|_| state::is_alive(state)) else { return Vec::new() };
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids: Vec<i32> = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    let inside = |pid: &i32| namespace(*pid).as_ref() == Some(&own);
    let mut found: HashSet<i32> = pids.iter().copied().filter(inside).collect();
    loop {
        let is_new =
            |pid: &i32| !found.contains(pid) && state::parent(*pid).is_some_and(|p| found.contains(&p));
        let new: Vec<i32> = pids.iter().copied().filter(is_new).collect();
        if new.is_empty() {
            return found.into_iter().collect();
        }
        found.extend(new);
    }
}
