//! Stage 2, plan: `Plan = f(Spec, Facts, Options)`, pure. No I/O, no fds, no clock.
//!
//! A plan is plain data in the kernel's form, so that the child, which may not allocate, has nothing
//! left to decide; what cannot be planned (paths inside the root filesystem) is a policy that the
//! child carries out on fds.

pub mod cgroup;
pub mod describe;
pub mod device_rules;
pub mod devices;
pub mod hooks;
pub mod identity;
pub mod lsm;
pub mod mounts;
pub mod namespaces;
pub mod net_devices;
pub mod path;
pub mod print;
pub mod process;
pub mod resctrl;
pub mod scheduling;
pub mod seccomp;

use crate::error::{Error, Result};
use crate::spec::annotations::{self, MKNOD, MKNOD_ANY, PIDFD_RECEIVER, ROOT_IDMAP};
use crate::spec::config::{self, Spec};
use crate::spec::validate::sysctl;
use namespaces::{Kind, NamespacePlan};
use path::InRoot;
use std::ffi::{CString, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// What is known of the host: filled by [`crate::host::probe`], by a literal in tests.
#[derive(Debug, Default, Clone)]
pub struct Facts {
    /// Effective uid of the caller.
    pub uid: u32,
    /// Effective gid of the caller.
    pub gid: u32,
    /// The caller is in a user namespace other than the first one.
    pub in_userns: bool,
    /// In the caller's user namespace nobody may set groups.
    pub setgroups_denied: bool,
    /// The caller's permitted capabilities, as a mask.
    pub permitted_caps: u64,
    /// Highest capability that the kernel knows.
    pub last_cap: u32,
    /// The caller's oom_score_adj, which children inherit.
    pub oom_score_adj: i32,
    /// AppArmor and SELinux.
    pub modules: lsm::Modules,
    /// Mounted cgroup hierarchies.
    pub cgroup: cgroup::Facts,
}

/// What the command line adds to the configuration.
#[derive(Debug, Clone)]
pub struct Options {
    /// Container id.
    pub id: String,
    /// Directory of the bundle, absolute.
    pub bundle: PathBuf,
    /// `--no-pivot`
    pub no_pivot: bool,
    /// `--no-new-keyring` was not given.
    pub new_keyring: bool,
    /// `--preserve-fds`, and the fds of `listen`.
    pub preserve_fds: u32,
    /// Socket activation.
    pub listen: Option<process::Listen>,
    /// `--cgroup-manager`
    pub cgroup_manager: cgroup::Manager,
    /// Without privileges over the machine's cgroups (`--rootless`).
    pub rootless: bool,
}

/// Everything that will be done.
#[derive(Debug)]
pub struct Plan {
    /// Container id.
    pub id: String,
    /// Where the process runs.
    pub sandbox: Sandbox,
    /// What it becomes; none for a container that is never to be started.
    pub process: Option<process::Process>,
    /// What the configuration asked for and does not get.
    pub warnings: Vec<String>,
}

impl Plan {
    /// The process is born in a user namespace that has no maps yet.
    pub fn is_mapped_by_host(&self) -> bool {
        matches!(&self.sandbox, Sandbox::New(container) if container.namespaces.maps.is_some())
    }
}

/// Where a process runs.
#[derive(Debug)]
pub enum Sandbox {
    /// In a container to be made.
    New(Box<Container>),
    /// In one that is there (`exec`).
    Join(Target),
}

/// A container that is there.
#[derive(Debug, Clone)]
pub struct Target {
    /// `CLONE_NEW*` of the namespaces that its init has of its own, without the pid namespace.
    pub namespaces: u64,
    /// It has its own pid namespace.
    pub pid_namespace: bool,
    /// The child must join that by itself, and clone once more.
    pub hop: bool,
    /// It has its own user namespace.
    pub user_namespace: bool,
    /// It was made with `--no-pivot`: its root is not the root of its mount namespace.
    pub no_pivot: bool,
}

/// A container to be made.
#[derive(Debug)]
pub struct Container {
    /// Namespaces.
    pub namespaces: NamespacePlan,
    /// cgroups and limits.
    pub cgroup: cgroup::CgroupPlan,
    /// The root filesystem.
    pub root: Root,
    /// In order.
    pub mounts: Vec<mounts::Mount>,
    /// The user namespaces whose maps mounts are shown by.
    pub id_namespaces: Vec<mounts::idmap::IdNamespace>,
    /// linux.mountLabel, for the filesystems that are not among the mounts.
    pub mount_label: Option<mounts::Parameter>,
    /// Bind sources are opened by the host stage, because the user namespace's root may not reach
    /// them.
    pub host_opens_binds: bool,
    /// Where the terminal is bound, `/dev/console`.
    pub console: Option<InRoot>,
    /// Nodes and links of /dev.
    pub devices: devices::DevicePlan,
    /// Network devices that are moved into it.
    pub net_devices: Vec<net_devices::NetDevice>,
    /// Kernel parameters: path below /proc/sys, value, key as configured.
    pub sysctls: Vec<Sysctl>,
    /// linux.maskedPaths
    pub masked: Vec<InRoot>,
    /// linux.readonlyPaths
    pub readonly: Vec<InRoot>,
    /// UTS node name.
    pub hostname: Option<CString>,
    /// UTS domain name.
    pub domainname: Option<CString>,
    /// Programs at the turns of its life.
    pub hooks: hooks::HookPlan,
    /// linux.intelRdt
    pub resctrl: Option<resctrl::Resctrl>,
    /// The socket that gets a pidfd of init.
    pub pidfd_receiver: Option<PathBuf>,
}

impl Container {
    /// The child mounts by itself what the host then maps the ids of: for the locks of its mount namespace,
    /// and because the maps are not those of its user namespace.
    pub fn host_maps_ids(&self) -> bool {
        self.host_opens_binds && !self.id_namespaces.is_empty()
    }
}

/// The root filesystem.
#[derive(Debug, Clone)]
pub struct Root {
    /// Absolute host path.
    pub path: CString,
    /// root.readonly
    pub readonly: bool,
    /// By which ids its owners are shown: one of the container's `id_namespaces`.
    pub idmap: Option<usize>,
    /// Propagation of the old root with all below, before anything is mounted.
    pub propagation: u64,
    /// Propagation of the container's root in the end, if it is to be another one.
    pub final_propagation: u64,
    /// With shared propagation: the root filesystem's path and all above it, nearest first; the first
    /// that is a mount point must not be shared (pivot_root(2)).
    pub unshare_above: Vec<CString>,
    /// Move and chroot in place of pivot_root(2), for a root on the initial ramfs.
    pub no_pivot: bool,
}

/// One kernel parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sysctl {
    /// `sys/net/ipv4/ip_forward`, below /proc.
    pub path: CString,
    /// What is written.
    pub value: String,
    /// As configured.
    pub key: String,
    /// The namespace that it belongs to.
    pub namespace: Option<Kind>,
}

/// Plans a new container.
///
/// # Errors
/// What the configuration asks for and the host, the caller or this release cannot give.
pub fn container(spec: &Spec, facts: &Facts, options: &Options) -> Result<Plan> {
    let none = config::Linux::default();
    let linux = spec.linux.as_ref().unwrap_or(&none);
    let mut warnings = Vec::new();
    let namespaces = namespaces::plan(linux, facts)?;
    let mut cgroup = cgroup::plan(
        &facts.cgroup,
        &cgroup::Request {
            cgroups_path: linux.cgroups_path.as_deref().filter(|p| !p.is_empty()),
            id: &options.id,
            resources: linux.resources.as_ref(),
            manager: options.cgroup_manager,
            rootless: options.rootless,
            uid: facts.uid,
            properties: &cgroup::unit::annotated(spec),
            mknod: match annotations::value(spec, MKNOD) {
                Some(MKNOD_ANY) => device_rules::Mknod::Any,
                _ => device_rules::Mknod::Listed(&linux.devices),
            },
        },
    )?;
    cgroup.give_to(cgroup::owner(spec, &namespaces, facts));
    let around = mounts::Around { bundle: &options.bundle, namespaces: &namespaces, cgroup: &cgroup, facts };
    let mut ids = mounts::idmap::Namespaces::new(linux, &namespaces, facts.uid == 0);
    let mut mounts = mounts::plan(&spec.mounts, &around, &mut ids, &mut warnings)?;
    let mount_label = lsm::mount_label(spec, facts.modules)?;
    lsm::label(&mut mounts, mount_label.as_ref())?;
    let root = root(spec, linux, options, &mut ids)?;
    let id_namespaces = ids.list;
    let devices = devices::plan(spec, &namespaces, facts)?;
    let process = match &spec.process {
        None => None,
        Some(process) => {
            let identity = identity::plan(process, spec, namespaces.user(), facts, &mut warnings)?;
            let around = process::Around {
                id: &options.id,
                identity,
                scheduling: scheduling::plan(process, linux, facts, false)?,
                spec,
                facts,
                new_keyring: options.new_keyring,
                preserve_fds: options.preserve_fds,
                listen: options.listen.as_ref(),
            };
            Some(process::plan(process, around)?)
        }
    };
    let text = |name: &str, value: &Option<String>| {
        value.as_deref().filter(|v| !v.is_empty()).map(|v| c_string(name, v)).transpose()
    };
    let mut sysctls = sysctls(linux)?;
    let mut domainname = spec.domainname.clone();
    if namespaces.has(Kind::User) {
        // The file belongs to root of the host, whatever namespace it is about; the system call does not.
        let file = sysctls.iter().position(|sysctl| sysctl.path.as_c_str() == c"sys/kernel/domainname");
        domainname = file.map(|at| sysctls.remove(at).value).or(domainname);
    }
    let container = Container {
        host_opens_binds: facts.uid == 0 && namespaces.has(Kind::User),
        root,
        mounts,
        id_namespaces,
        mount_label,
        console: devices.links.first().and_then(|_| InRoot::new("/dev/console")),
        devices,
        net_devices: net_devices::plan(&linux.net_devices),
        sysctls,
        masked: in_root("maskedPaths", &linux.masked_paths)?,
        readonly: in_root("readonlyPaths", &linux.readonly_paths)?,
        hostname: text("hostname", &spec.hostname)?,
        domainname: text("domainname", &domainname)?,
        hooks: match &spec.hooks {
            Some(hooks) => hooks::plan(hooks, &options.bundle)?,
            None => hooks::HookPlan::default(),
        },
        resctrl: linux.intel_rdt.as_ref().map(|rdt| resctrl::plan(rdt, &options.id)),
        pidfd_receiver: annotations::value(spec, PIDFD_RECEIVER).map(PathBuf::from),
        namespaces,
        cgroup,
    };
    if let Some(hooks) = &spec.hooks {
        let root = Path::new(OsStr::from_bytes(container.root.path.to_bytes()));
        hooks::outside_of(hooks, root)?;
    }
    Ok(Plan { id: options.id.clone(), sandbox: Sandbox::New(Box::new(container)), process, warnings })
}

/// Plans a process for a container that is there.
///
/// # Errors
/// As [`container`], for what concerns the process.
pub fn exec(
    process: &config::Process,
    spec: &Spec,
    target: Target,
    facts: &Facts,
    options: &Options,
) -> Result<Plan> {
    let none = config::Linux::default();
    let linux = spec.linux.as_ref().unwrap_or(&none);
    let mut warnings = Vec::new();
    let user = match target.user_namespace {
        true => namespaces::UserNamespace::Joined,
        false => namespaces::UserNamespace::Caller,
    };
    let around = process::Around {
        id: &options.id,
        identity: identity::plan(process, spec, user, facts, &mut warnings)?,
        scheduling: scheduling::plan(process, linux, facts, true)?,
        spec,
        facts,
        new_keyring: options.new_keyring,
        preserve_fds: options.preserve_fds,
        listen: options.listen.as_ref(),
    };
    let process = Some(process::plan(process, around)?);
    Ok(Plan { id: options.id.clone(), sandbox: Sandbox::Join(target), process, warnings })
}

fn root(
    spec: &Spec,
    linux: &config::Linux,
    options: &Options,
    ids: &mut mounts::idmap::Namespaces,
) -> Result<Root> {
    let root = spec.root.as_ref().ok_or_else(|| Error::new("root: is missing"))?;
    let (propagation, final_propagation) = match linux.rootfs_propagation.as_deref().unwrap_or("") {
        "" | "rslave" => (libc::MS_SLAVE | libc::MS_REC, 0),
        "slave" => (libc::MS_SLAVE | libc::MS_REC, libc::MS_SLAVE),
        "private" => (libc::MS_PRIVATE | libc::MS_REC, libc::MS_PRIVATE),
        "rprivate" => (libc::MS_PRIVATE | libc::MS_REC, 0),
        "shared" => (libc::MS_SHARED, libc::MS_SHARED),
        "rshared" => (libc::MS_SHARED | libc::MS_REC, libc::MS_SHARED | libc::MS_REC),
        "unbindable" => (libc::MS_PRIVATE | libc::MS_REC, libc::MS_UNBINDABLE),
        "runbindable" => (libc::MS_PRIVATE | libc::MS_REC, libc::MS_UNBINDABLE | libc::MS_REC),
        other => {
            return Err(Error::new(format!(
                "linux.rootfsPropagation: {other:?} is not (r)shared, (r)slave, (r)private or (r)unbindable"
            )));
        }
    };
    let path = options.bundle.join(&root.path);
    let shared = final_propagation & libc::MS_SHARED != 0;
    let above =
        if shared { path.ancestors().map(|p| c_path("root.path", p)).collect() } else { Ok(Vec::new()) };
    let idmap = annotations::value(spec, ROOT_IDMAP).map(|ids_of| {
        ids.of_text(Some(ids_of).filter(|v| *v != "container"), &format!("annotations[{ROOT_IDMAP:?}]"))
    });
    Ok(Root {
        path: c_path("root.path", &path)?,
        idmap: idmap.transpose()?,
        unshare_above: above?,
        readonly: root.readonly,
        propagation,
        final_propagation,
        no_pivot: options.no_pivot,
    })
}

fn sysctls(linux: &config::Linux) -> Result<Vec<Sysctl>> {
    let of = |(key, value): (&String, &String)| {
        let path = sysctl::file(key).map_err(|why| Error::new(format!("linux.sysctl[{key:?}]: {why}")))?;
        Ok(Sysctl {
            path: c_string("linux.sysctl", &format!("sys/{path}"))?,
            value: value.clone(),
            key: key.clone(),
            namespace: sysctl::namespace(&path).and_then(Kind::from_name),
        })
    };
    linux.sysctl.iter().map(of).collect()
}

fn in_root(name: &str, paths: &[String]) -> Result<Vec<InRoot>> {
    let of = |(i, path): (usize, &String)| {
        InRoot::new(path).ok_or_else(|| Error::new(format!("linux.{name}[{i}]: holds a NUL byte")))
    };
    paths.iter().enumerate().map(of).collect()
}

fn c_string(location: &str, text: &str) -> Result<CString> {
    CString::new(text).map_err(|_| Error::new(format!("{location}: {text:?} holds a NUL byte")))
}

fn c_path(location: &str, path: &Path) -> Result<CString> {
    CString::new(path.as_os_str().as_bytes())
        .map_err(|_| Error::new(format!("{location}: {} holds a NUL byte", path.display())))
}
