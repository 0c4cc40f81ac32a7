//! `tierce plan`: a plan as a list of lines, in the order in which they will be done.

mod mounts;
mod program;
mod resctrl;

use super::cgroup::unit::UnitManager;
use super::cgroup::{Absent, DeviceAccess, LEAF, Version, Write, directory};
use super::hooks::{self, HookPlan};
use super::mounts::Source;
use super::namespaces::{IdMap, Join, Kind};
use super::process::Process;
use super::{Container, Plan, Sandbox};
use crate::error::visible;
use crate::spec::annotations::{PIDFD_RECEIVER, ROOT_IDMAP};
use mounts::{attributes, maps_of, propagation};
use serde::Serialize;
use std::ffi::CStr;
use std::fmt::Write as _;

/// One thing that will be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// `host` or `container`: which of the two processes does it.
    pub by: &'static str,
    /// What, in the words of the man pages.
    pub action: &'static str,
    /// To what.
    pub object: String,
    /// Where in config.json that comes from, if it comes from there.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub location: String,
}

struct Lines {
    by: &'static str,
    lines: Vec<Line>,
}

impl Lines {
    fn add(&mut self, action: &'static str, object: impl Into<String>, location: impl Into<String>) {
        self.lines.push(Line { by: self.by, action, object: object.into(), location: location.into() });
    }
}

/// Everything that would be done, in order.
pub fn lines(plan: &Plan) -> Vec<Line> {
    let mut out = Lines { by: "host", lines: Vec::new() };
    if let Sandbox::New(container) = &plan.sandbox {
        host(&mut out, container);
        host_after_clone(&mut out, container, plan.process.as_ref());
        out.by = "container";
        namespaces(&mut out, container);
        root(&mut out, container, plan.process.as_ref());
        if let Some(planned) = &container.resctrl {
            resctrl::enter(&mut out, planned);
        }
    }
    let none = HookPlan::default();
    let planned = if let Sandbox::New(container) = &plan.sandbox { &container.hooks } else { &none };
    if let Some(process) = &plan.process {
        program::lines(&mut out, process, planned);
    }
    out.by = "host";
    run_hooks(&mut out, planned, hooks::Kind::Poststart);
    run_hooks(&mut out, planned, hooks::Kind::Poststop);
    out.lines
}

/// The lines as a table for people.
pub fn text(lines: &[Line]) -> String {
    let width = |of: fn(&Line) -> usize| lines.iter().map(of).max().unwrap_or(0);
    let (by, action) = (width(|l| l.by.len()), width(|l| l.action.len()));
    lines.iter().fold(String::new(), |mut text, line| {
        let location =
            if line.location.is_empty() { String::new() } else { format!("  # {}", line.location) };
        let Line { by: who, action: what, object, .. } = line;
        let line = format!("{who:by$}  {what:action$}  {object}{location}");
        let _ = writeln!(text, "{}", visible(line.trim_end()));
        text
    })
}

fn host(out: &mut Lines, c: &Container) {
    // systemd makes a group for a process that is there already.
    if c.cgroup.unit.is_none() {
        groups(out, c);
    }
    if let Some(planned) = &c.resctrl {
        resctrl::make(out, planned);
    }
    for (i, namespace) in c.id_namespaces.iter().enumerate() {
        out.add("id map", format!("{i}: {}", maps_of(namespace)), "");
    }
    if let Some(idmap) = c.root.idmap {
        let object = format!("the root filesystem {} by id map {idmap}", lossy(&c.root.path));
        out.add("open", object, format!("annotations[{ROOT_IDMAP:?}]"));
    }
    for mount in c.mounts.iter().filter(|m| matches!(m.source, Source::Bind(_))) {
        let by = mount.idmap.map_or(String::new(), |idmap| format!(" by id map {}", idmap.namespace));
        if c.host_opens_binds || mount.idmap.is_some() {
            let object = format!("the source of the {}{by}", mount.label);
            out.add("open", object, format!("{}.source", mount.location));
        }
    }
    for join in &c.namespaces.host_joins {
        add_join(out, "be born in", join);
    }
    let into = c.cgroup.groups.iter().find(|g| g.version == Version::V2 && c.cgroup.unit.is_none());
    let into = into.map_or(String::new(), |g| format!(", into cgroup {}", g.directory().display()));
    out.add("clone", format!("{}{into}", new_namespaces(c.namespaces.clone)), "linux.namespaces");
    if let Some(unit) = &c.cgroup.unit {
        let manager = match unit.manager {
            UnitManager::System => "systemd",
            UnitManager::User => "the user's systemd",
        };
        out.add("ask", format!("{manager} for {} with the new process", unit.name), "linux.cgroupsPath");
        for property in &unit.properties {
            out.add("set", format!("{}={}", property.name, property.value), &property.location);
        }
        groups(out, c);
    }
}

fn groups(out: &mut Lines, c: &Container) {
    for group in &c.cgroup.groups {
        let perhaps = if group.optional { ", if that is allowed" } else { "" };
        if let Some(caller) = group.caller.as_ref().filter(|_| group.step_aside) {
            out.add(
                "step aside",
                format!("into {}", directory(&group.mount, caller).join(LEAF).display()),
                "",
            );
        }
        if !group.enable.is_empty() {
            let object = format!("{} in cgroup.subtree_control of the groups above", group.enable.join(", "));
            out.add("enable", object, "");
        }
        let make = if c.cgroup.unit.is_some() { "find cgroup" } else { "make cgroup" };
        out.add(make, format!("{}{perhaps}", group.directory().display()), "linux.cgroupsPath");
        if group.version == Version::V1 && group.controllers.iter().any(|c| c == "cpuset") {
            out.add("copy", "cpuset.cpus and cpuset.mems of the group above", "");
        }
        for write in &group.writes {
            out.add("write", limit(write), &write.location);
        }
        if let Some(owner) = group.owner {
            let object = format!("the group, and its files that may be delegated, to uid {owner}");
            out.add("chown", object, "process.user.uid");
        }
        if let DeviceAccess::Program { rules, .. } = &group.devices {
            let object = format!("an eBPF program for devices: {}", rules.join(", "));
            out.add("attach", object, "linux.resources.devices");
        }
    }
}

fn limit(write: &Write) -> String {
    let text = format!("{:?} to {}", write.value, write.file);
    match &write.absent {
        Absent::Instead { file, value } => format!("{text}, or {value:?} to {file} where there is none"),
        Absent::Refuse | Absent::Skip => text,
    }
}

fn new_namespaces(flags: u64) -> String {
    let names: Vec<_> = Kind::ALL.iter().filter(|k| flags & k.flag() != 0).map(|k| k.name()).collect();
    match names.is_empty() {
        true => "no new namespace".to_owned(),
        false => format!("new namespaces: {}", names.join(", ")),
    }
}

fn host_after_clone(out: &mut Lines, c: &Container, process: Option<&Process>) {
    if let Some(adj) = process.and_then(|p| p.oom_score_adj.as_ref()) {
        out.add("write", format!("\"{adj}\" to oom_score_adj"), "process.oomScoreAdj");
    }
    if let Some(maps) = &c.namespaces.maps {
        id_map(out, &maps.uid);
        if maps.deny_setgroups {
            out.add("write", "\"deny\" to setgroups", "linux.gidMappings");
        }
        id_map(out, &maps.gid);
    }
    if let Some(receiver) = &c.pidfd_receiver {
        let object = format!("a pidfd of init to the socket {}", receiver.display());
        out.add("send", object, format!("annotations[{PIDFD_RECEIVER:?}]"));
    }
}

fn id_map(out: &mut Lines, map: &IdMap) {
    let location = map.kind.location();
    match map.by_helper {
        true => out.add(
            "run",
            format!("{} PID {}", map.kind.helper(), map.text.trim_end().replace('\n', " ")),
            location,
        ),
        false => {
            let lines = map.text.trim_end().replace('\n', ", ");
            out.add("write", format!("{lines:?} to {}", map.kind.file()), location);
        }
    }
}

fn add_join(out: &mut Lines, action: &'static str, join: &Join) {
    let object = format!("the {} namespace {}", join.kind.name(), lossy(&join.path));
    out.add(action, object, format!("linux.namespaces[{}]", join.index));
}

fn namespaces(out: &mut Lines, c: &Container) {
    for group in c.cgroup.groups.iter().filter(|g| g.version == Version::V1) {
        out.add("enter", format!("{}{}/tasks", group.mount.display(), group.path), "");
    }
    out.add("setsid", "a new session", "");
    for join in &c.namespaces.child_joins {
        add_join(out, "setns", join);
    }
    if c.namespaces.new_time {
        out.add("unshare", new_namespaces(Kind::Time.flag()), "linux.namespaces");
        for offset in &c.namespaces.time_offsets {
            let location = format!("linux.timeOffsets.{}", offset.clock);
            out.add("write", format!("{:?} to timens_offsets", offset.line.trim_end()), location);
        }
        out.add("setns", "that time namespace", "linux.namespaces");
    }
    if c.namespaces.hop {
        let into = match c.namespaces.hop_clone {
            0 => "the pid namespace".into(),
            new => new_namespaces(new),
        };
        out.add("clone", format!("once more, into {into}"), "linux.namespaces");
    }
    if c.namespaces.become_root {
        out.add("setuid", "0 of the user namespace, after setgid 0", "");
    }
    for flags in [c.namespaces.unshare, if c.namespaces.new_cgroup { Kind::Cgroup.flag() } else { 0 }] {
        if flags != 0 {
            out.add("unshare", new_namespaces(flags), "linux.namespaces");
        }
    }
    if c.namespaces.is_new(Kind::Network) {
        out.add("bring up", "lo", "");
    }
    out.by = "host";
    for device in &c.net_devices {
        let object =
            format!("{} into the container's network namespace, as {}", device.name, device.new_name);
        out.add("move", object, device.location());
    }
    out.by = "container";
    if let Some(name) = &c.hostname {
        out.add("sethostname", lossy(name), "hostname");
    }
    if let Some(name) = &c.domainname {
        out.add("setdomainname", lossy(name), "domainname");
    }
    for sysctl in &c.sysctls {
        let object = format!("{:?} to /proc/{}", sysctl.value, lossy(&sysctl.path));
        out.add("write", object, format!("linux.sysctl[{:?}]", sysctl.key));
    }
}

fn root(out: &mut Lines, c: &Container, process: Option<&Process>) {
    out.add("set propagation", format!("/ {}", propagation(c.root.propagation)), "linux.rootfsPropagation");
    if let Some(nearest) = c.root.unshare_above.first() {
        let object = format!("private, of the mount that {} is on", lossy(nearest));
        out.add("set propagation", object, "linux.rootfsPropagation");
    }
    out.add("mount", format!("root filesystem {}", lossy(&c.root.path)), "root.path");
    for mount in &c.mounts {
        let attributes = attributes(mount);
        let separator = if attributes.is_empty() { "" } else { " " };
        out.add("mount", format!("{}{separator}{attributes}", mount.label), &mount.location);
        if let Source::CgroupV1(hierarchies) = &mount.source {
            for h in hierarchies {
                out.add("mount", format!("cgroup on {}/{}", mount.target.display(), lossy(&h.name)), "");
            }
        }
    }
    let make = |letter| if c.devices.by_bind && letter != 'p' { "bind node" } else { "mknod" };
    for node in &c.devices.nodes {
        let object = format!(
            "{} {} {}:{} {:o}",
            node.display(),
            node.letter(),
            node.major,
            node.minor,
            node.mode & 0o7777
        );
        out.add(make(node.letter()), object, &node.location);
    }
    for link in c.devices.links {
        out.add("symlink", format!("/dev/{} -> {}", lossy(link.name), lossy(link.target)), "");
    }
    if process.is_some_and(|p| p.terminal.is_some()) {
        out.add("open", "a pseudo-terminal as stdin, stdout, stderr and /dev/console", "process.terminal");
    }
    if let Some(process) = process.filter(|p| !p.cwd_in_root.is_root()) {
        out.add("mkdir", format!("{} if it is missing", process.cwd_in_root.display()), "process.cwd");
    }
    out.by = "host";
    run_hooks(out, &c.hooks, hooks::Kind::Prestart);
    run_hooks(out, &c.hooks, hooks::Kind::CreateRuntime);
    out.by = "container";
    run_hooks(out, &c.hooks, hooks::Kind::CreateContainer);
    for (i, path) in c.readonly.iter().enumerate() {
        out.add("make read-only", path.display(), format!("linux.readonlyPaths[{i}]"));
    }
    for (i, path) in c.masked.iter().enumerate() {
        out.add("mask", path.display(), format!("linux.maskedPaths[{i}]"));
    }
    if c.root.readonly {
        out.add("make read-only", "/", "root.readonly");
    }
    match c.root.no_pivot {
        true => out.add("chroot", "the root filesystem, moved over the host's", ""),
        false => out.add("pivot_root", "the root filesystem, and detach the host's", ""),
    }
    if c.root.final_propagation != 0 {
        let object = format!("/ {}", propagation(c.root.final_propagation));
        out.add("set propagation", object, "linux.rootfsPropagation");
    }
}

fn run_hooks(out: &mut Lines, plan: &HookPlan, kind: hooks::Kind) {
    for hook in plan.of(kind) {
        let args: Vec<_> = hook.args.strings().iter().map(|a| format!("{:?}", a.to_string_lossy())).collect();
        let mut object = format!("{} as {}", lossy(&hook.path), args.join(" "));
        if let Some(timeout) = hook.timeout {
            let _ = write!(object, ", for at most {} s", timeout.as_secs());
        }
        if kind == hooks::Kind::Poststop {
            object.push_str(", when the container is deleted");
        }
        out.add("run hook", object, hook.location());
    }
}

fn lossy(s: &CStr) -> String {
    s.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_has_one_line() {
        let line = |object: &str| Line {
            by: "host",
            action: "open",
            object: object.into(),
            location: String::new(),
        };
        let printed = text(&[line("/a\nhost  open  /etc"), line("/b\u{1b}[2J")]);
        assert_eq!(printed, "host  open  /a\\nhost  open  /etc\nhost  open  /b\\u{1b}[2J\n");
    }
}
