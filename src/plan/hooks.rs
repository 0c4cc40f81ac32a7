//! Hooks: other programs at the turns of a container's life (config.md, "POSIX-platform Hooks").

use super::{c_path, c_string};
use crate::error::{Error, Result, Violation};
use crate::spec::config;
use crate::sys::exec::CStringArray;
use std::ffi::CString;
use std::path::Path;
use std::time::Duration;

/// When hooks run, in the order of a container's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Kind {
    Prestart,
    CreateRuntime,
    CreateContainer,
    StartContainer,
    Poststart,
    Poststop,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 6] = [
        Kind::Prestart,
        Kind::CreateRuntime,
        Kind::CreateContainer,
        Kind::StartContainer,
        Kind::Poststart,
        Kind::Poststop,
    ];

    /// The member of `hooks`.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Prestart => "prestart",
            Kind::CreateRuntime => "createRuntime",
            Kind::CreateContainer => "createContainer",
            Kind::StartContainer => "startContainer",
            Kind::Poststart => "poststart",
            Kind::Poststop => "poststop",
        }
    }

    /// The list of this kind.
    pub fn of(self, hooks: &config::Hooks) -> &[config::Hook] {
        match self {
            Kind::Prestart => &hooks.prestart,
            Kind::CreateRuntime => &hooks.create_runtime,
            Kind::CreateContainer => &hooks.create_container,
            Kind::StartContainer => &hooks.start_container,
            Kind::Poststart => &hooks.poststart,
            Kind::Poststop => &hooks.poststop,
        }
    }
}

/// One hook.
#[derive(Debug)]
pub struct Hook {
    /// When it runs.
    pub kind: Kind,
    /// Which of that kind it is.
    pub index: usize,
    /// The program, absolute.
    pub path: CString,
    /// argv; the path where none is configured.
    pub args: CStringArray,
    /// envp: what is configured and nothing else. What of the container's environment reached a hook of
    /// the host would be code there (LD_PRELOAD, CVE-2025-23266).
    pub env: CStringArray,
    /// It is killed when it takes longer.
    pub timeout: Option<Duration>,
    /// Its working directory, the bundle; `None`: that of the container's program.
    pub directory: Option<CString>,
}

impl Hook {
    /// `hooks.poststop[0]`
    pub fn location(&self) -> String {
        format!("hooks.{}[{}]", self.kind.name(), self.index)
    }
}

/// The hooks of a container.
#[derive(Debug, Default)]
pub struct HookPlan {
    lists: [Vec<Hook>; 6],
}

impl HookPlan {
    /// Those of one kind, in their order.
    pub fn of(&self, kind: Kind) -> &[Hook] {
        &self.lists[kind as usize]
    }

    /// Are there any for which the child must wait before it changes its root?
    pub fn before_pivot(&self) -> bool {
        self.lists[..Kind::StartContainer as usize].iter().any(|list| !list.is_empty())
    }
}

/// Plans hooks.
///
/// # Errors
/// NUL bytes.
pub fn plan(hooks: &config::Hooks, bundle: &Path) -> Result<HookPlan> {
    let mut plan = HookPlan::default();
    for kind in Kind::ALL {
        let hooks = kind.of(hooks).iter().enumerate();
        plan.lists[kind as usize] =
            hooks.map(|(i, hook)| one(kind, i, hook, bundle)).collect::<Result<_>>()?;
    }
    Ok(plan)
}

fn one(kind: Kind, index: usize, hook: &config::Hook, bundle: &Path) -> Result<Hook> {
    let at = |member: &str| format!("hooks.{}[{index}].{member}", kind.name());
    let strings = |member: &str, list: &[String]| -> Result<Vec<CString>> {
        list.iter().enumerate().map(|(i, text)| c_string(&at(&format!("{member}[{i}]")), text)).collect()
    };
    let path = c_string(&at("path"), &hook.path)?;
    let mut args = strings("args", hook.args.as_deref().unwrap_or_default())?;
    if args.is_empty() {
        args.push(path.clone());
    }
    Ok(Hook {
        kind,
        index,
        path,
        args: CStringArray::new(args),
        env: CStringArray::new(strings("env", &hook.env)?),
        timeout: hook.timeout.and_then(|seconds| u64::try_from(seconds).ok()).map(Duration::from_secs),
        directory: match kind {
            Kind::StartContainer => None,
            _ => Some(c_path("bundle", bundle)?),
        },
    })
}

/// Looks whether programs of the container would run outside of it; where symbolic links lead to is looked at later
/// ([`crate::host::hooks::check`]).
///
/// # Errors
/// All that would.
pub fn outside_of(hooks: &config::Hooks, root: &Path) -> Result<()> {
    let outside =
        Kind::ALL.into_iter().filter(|kind| *kind != Kind::StartContainer && root != Path::new("/"));
    let all = outside.flat_map(|kind| kind.of(hooks).iter().enumerate().map(move |hook| (kind, hook)));
    let inside = all.filter(|(_, (_, hook))| Path::new(&hook.path).starts_with(root));
    let wrong: Vec<Violation> = inside
        .map(|(kind, (i, hook))| Violation {
            path: format!("hooks.{}[{i}].path", kind.name()),
            text: format!("{:?} {INSIDE}", hook.path),
        })
        .collect();
    if wrong.is_empty() { Ok(()) } else { Err(Error::invalid(wrong)) }
}

/// Why a hook is refused.
pub const INSIDE: &str =
    "lies in the container's root filesystem: whoever may write there would decide what runs outside of it";

#[cfg(test)]
mod tests {
    use super::*;

    fn hooks() -> config::Hooks {
        let hook = |path: &str| config::Hook { path: path.into(), ..config::Hook::default() };
        config::Hooks {
            start_container: vec![hook("/bundle/rootfs/a"), hook("/b")],
            poststop: vec![config::Hook { timeout: Some(3), ..hook("/bundle/rootfs/c") }],
            ..config::Hooks::default()
        }
    }

    #[test]
    fn a_hook_has_what_is_configured_and_nothing_else() {
        let plan = plan(&hooks(), Path::new("/bundle")).unwrap();
        assert!(!plan.before_pivot());
        let [_, second] = plan.of(Kind::StartContainer) else { panic!("two hooks") };
        assert_eq!(second.location(), "hooks.startContainer[1]");
        assert_eq!(second.args.strings(), [c"/b".to_owned()]);
        assert!(second.env.strings().is_empty() && second.directory.is_none() && second.timeout.is_none());
        let last = &plan.of(Kind::Poststop)[0];
        assert_eq!(last.directory.as_deref(), Some(c"/bundle"));
        assert_eq!(last.timeout, Some(Duration::from_secs(3)));
    }

    #[test]
    fn the_child_waits_for_each_kind_that_comes_before_its_change_of_root() {
        for kind in Kind::ALL {
            let mut plan = HookPlan::default();
            plan.lists[kind as usize].push(one(kind, 0, &config::Hook::default(), Path::new("/")).unwrap());
            assert_eq!(plan.before_pivot(), (kind as usize) < 3, "{kind:?}");
        }
    }

    #[test]
    fn no_hook_of_the_host_lies_in_the_root_filesystem() {
        let error = outside_of(&hooks(), Path::new("/bundle/rootfs")).unwrap_err().to_string();
        assert!(error.starts_with("hooks.poststop[0].path: \"/bundle/rootfs/c\" lies"), "{error}");
        assert!(outside_of(&hooks(), Path::new("/other")).is_ok());
        assert!(outside_of(&hooks(), Path::new("/")).is_ok(), "then the container's root is the host's");
    }
}
