//! Recursive attributes of `mounts`, measured by what they do to a mount below.

use std::process::Command;

use nix::mount::{MntFlags, MsFlags, mount, umount2};

use crate::harness::child_process::succeeds;
use crate::harness::mountinfo::{self, at};
use crate::harness::prelude::*;

cases!("mount_attributes", root: [
    rro_and_rrw_reach_the_mounts_below,
    rnoexec_and_rexec_reach_the_mounts_below,
    rnodev_and_rdev_reach_the_mounts_below,
    rnosuid_and_rsuid_reach_the_mounts_below,
    rnosymfollow_and_rsymfollow_reach_the_mounts_below,
    access_time_options_reach_the_mounts_below,
    an_option_without_r_leaves_the_mounts_below_as_they_are,
    the_mounts_of_the_host_keep_their_attributes,
    a_recursive_attribute_holds_for_a_filesystem_too,
    an_access_time_is_kept_as_told,
    the_spellings_of_relatime_are_the_same,
]);

/// A directory of the host with a tmpfs on its `below`.
struct Below(PathBuf);

impl Below {
    fn new(t: &Case, flags: MsFlags) -> Below {
        let dir = t.path("source");
        let below = dir.join("below");
        fs::create_dir_all(&below).expect("make directories");
        mount(Some("none"), &below, Some("tmpfs"), MsFlags::empty(), None::<&str>).expect("mount a tmpfs");
        let below = Below(dir);
        below.fill(t);
        let path = below.0.join("below");
        let flags = flags | MsFlags::MS_REMOUNT | MsFlags::MS_BIND;
        mount(None::<&str>, &path, None::<&str>, flags, None::<&str>).expect("set attributes");
        below
    }

    fn fill(&self, t: &Case) {
        let below = self.0.join("below");
        let made = |program: &str, args: &[&str]| {
            let ok = succeeds(Command::new(&t.host.busybox).arg(program).args(args).current_dir(&below));
            assert!(ok, "{program} {args:?}");
        };
        fs::copy(&t.host.busybox, below.join("su")).expect("copy busybox");
        made("chmod", &["4755", "su"]);
        made("ln", &["-s", "/etc/passwd", "link"]);
        made("touch", &["f"]);
        if !succeeds(
            Command::new(&t.host.busybox)
                .args(["mknod", "-m", "666"])
                .arg(below.join("null"))
                .args(["c", "1", "3"]),
        ) {
            t.skip("needs to make device nodes");
        }
    }

    /// Whether `script` says `yes` in a container that has the directory on `/mnt` with these options.
    fn allows(&self, t: &Case, options: &[&str], script: &str) -> bool {
        let mut all = vec!["rbind"];
        all.extend(options);
        let bundle = t.bundle().bind(&self.0, "/mnt", &all).set("/process/noNewPrivileges", json!(false));
        let bundle = bundle.set("/process/user", json!({"uid": 1000, "gid": 1000}));
        let output = t.run(&bundle.sh(&format!("({script}) 2>/dev/null && echo yes || echo no")));
        let said = output.ok().stdout.trim().to_owned();
        assert!(matches!(said.as_str(), "yes" | "no"), "{said}");
        said == "yes"
    }

    /// The option takes a right away that its opposite gives.
    fn switches(t: &Case, (off, flag): (&str, MsFlags), on: &str, script: &str) {
        let open = Below::new(t, MsFlags::empty());
        assert!(open.allows(t, &[], script), "not allowed from the start");
        assert!(!open.allows(t, &[off], script), "{off} does not reach below");
        assert!(open.allows(t, &[off, on], script), "the last option does not win");
        drop(open);
        let closed = Below::new(t, flag);
        assert!(!closed.allows(t, &[], script), "allowed from the start");
        assert!(closed.allows(t, &[on], script), "{on} does not reach below");
    }
}

impl Drop for Below {
    fn drop(&mut self) {
        let _ = umount2(&self.0.join("below"), MntFlags::MNT_DETACH);
    }
}

fn rro_and_rrw_reach_the_mounts_below(t: &Case) {
    let source = Below::new(t, MsFlags::empty());
    let open = source.0.join("below");
    fs::set_permissions(&open, std::os::unix::fs::PermissionsExt::from_mode(0o777)).expect("chmod");
    let script = "touch /mnt/below/new";
    assert!(source.allows(t, &[], script));
    assert!(!source.allows(t, &["rro"], script));
    assert!(source.allows(t, &["rro", "rrw"], script));
    let flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY;
    mount(None::<&str>, &open, None::<&str>, flags, None::<&str>).expect("make it read-only");
    assert!(!source.allows(t, &[], script));
    assert!(source.allows(t, &["rrw"], script));
}

fn rnoexec_and_rexec_reach_the_mounts_below(t: &Case) {
    Below::switches(t, ("rnoexec", MsFlags::MS_NOEXEC), "rexec", "/mnt/below/su --help");
}

fn rnodev_and_rdev_reach_the_mounts_below(t: &Case) {
    Below::switches(t, ("rnodev", MsFlags::MS_NODEV), "rdev", "echo >/mnt/below/null");
}

fn rnosuid_and_rsuid_reach_the_mounts_below(t: &Case) {
    // It says whether it is root by its file before it asks for anything.
    let script = "! /mnt/below/su nobody-at-all -c true 2>&1 | grep -q suid";
    Below::switches(t, ("rnosuid", MsFlags::MS_NOSUID), "rsuid", script);
}

fn rnosymfollow_and_rsymfollow_reach_the_mounts_below(t: &Case) {
    let nosymfollow = MsFlags::from_bits_retain(256);
    Below::switches(t, ("rnosymfollow", nosymfollow), "rsymfollow", "cat /mnt/below/link >/dev/null");
}

/// The access time option that the mount below has in the container.
fn access_time(t: &Case, source: &Below, options: &[&str]) -> String {
    let mut all = vec!["rbind"];
    all.extend(options);
    let bundle = t.bundle().bind(&source.0, "/mnt", &all);
    let output = t.run(&bundle.args(&["/bin/cat", "/proc/self/mountinfo"]));
    let mounts = mountinfo::parse(&output.ok().stdout);
    let times = at(&mounts, "/mnt/below").options.clone();
    let times: Vec<&str> = times.split(',').filter(|o| o.contains("atime")).collect();
    times.join(",")
}

fn access_time_options_reach_the_mounts_below(t: &Case) {
    let source = Below::new(t, MsFlags::empty());
    for (option, shown) in [
        ("rnoatime", "noatime"),
        ("rstrictatime", ""),
        ("rrelatime", "relatime"),
        ("rnodiratime", "nodiratime,relatime"),
    ] {
        assert_eq!(access_time(t, &source, &[option]), shown, "{option}");
    }
    drop(source);
    let source = Below::new(t, MsFlags::MS_NOATIME | MsFlags::MS_NODIRATIME);
    assert_eq!(access_time(t, &source, &[]), "noatime,nodiratime");
    assert_eq!(access_time(t, &source, &["rdiratime"]), "noatime");
    for option in ["ratime", "rrelatime", "rnorelatime", "rnostrictatime"] {
        assert_eq!(access_time(t, &source, &["rdiratime", option]), "relatime", "{option}");
    }
}

fn an_option_without_r_leaves_the_mounts_below_as_they_are(t: &Case) {
    let source = Below::new(t, MsFlags::empty());
    assert!(source.allows(t, &["noexec"], "/mnt/below/su --help"));
    assert_eq!(access_time(t, &source, &["noatime"]), "relatime");
}

fn the_mounts_of_the_host_keep_their_attributes(t: &Case) {
    let source = Below::new(t, MsFlags::empty());
    assert!(!source.allows(t, &["rnoexec", "rro", "rnoatime"], "/mnt/below/su --help"));
    let mounts = mountinfo::of("self").expect("mountinfo");
    let below = source.0.join("below");
    let mount = at(&mounts, below.to_str().expect("a path of text"));
    assert_eq!(mount.options, "rw,relatime");
}

fn tmpfs(options: &[&str]) -> Value {
    json!({"destination": "/opt", "type": "tmpfs", "source": "tmpfs", "options": options})
}

fn a_recursive_attribute_holds_for_a_filesystem_too(t: &Case) {
    let script = "cp /bin/busybox /opt/busybox && chmod 755 /opt/busybox; \
        /opt/busybox true 2>/dev/null && echo runs || echo refused";
    t.run(&t.bundle().mount(tmpfs(&["rnoexec"])).sh(script)).ok().prints("refused");
    t.run(&t.bundle().mount(tmpfs(&["rexec"])).sh(script)).ok().prints("runs");
    let bundle = t.bundle().mount(tmpfs(&["rro"]));
    t.run(&bundle.sh("touch /opt/f 2>/dev/null || echo refused")).ok().prints("refused");
}

/// Whether reading a file and listing a directory, both last read long ago, is noted.
fn noted(t: &Case, options: &[&str]) -> String {
    let script = "touch /opt/f; mkdir /opt/d; touch /opt/d/x; touch -d 2001-01-01 /opt/f /opt/d; \
        cat /opt/f; ls /opt/d >/dev/null; \
        for p in f d; do [ $(stat -c %X /opt/$p) -gt 1000000000 ] && echo noted || echo kept; done";
    t.run(&t.bundle().mount(tmpfs(options)).sh(script))
        .ok()
        .stdout
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

fn an_access_time_is_kept_as_told(t: &Case) {
    for (options, what) in [
        (&["strictatime"][..], "noted noted"),
        (&["relatime"], "noted noted"),
        (&["noatime"], "kept kept"),
        (&["nodiratime"], "noted kept"),
        (&["noatime", "atime"], "noted noted"),
        (&["nodiratime", "diratime"], "noted noted"),
        (&["noatime", "strictatime"], "noted noted"),
    ] {
        assert_eq!(noted(t, options), what, "{options:?}");
    }
}

fn the_spellings_of_relatime_are_the_same(t: &Case) {
    // An access time after the last change is kept, unless each is to be noted.
    let script = "touch /opt/f; touch -a -d @$(($(date +%s) + 1000)) /opt/f; a=$(stat -c %X /opt/f); \
        cat /opt/f; [ $(stat -c %X /opt/f) = $a ] && echo kept || echo noted";
    for option in ["relatime", "norelatime", "nostrictatime", "atime", "defaults"] {
        let options = ["strictatime", option];
        let options = if option == "defaults" { &options[1..] } else { &options[..] };
        t.run(&t.bundle().mount(tmpfs(options)).sh(script)).ok().prints("kept");
    }
    t.run(&t.bundle().mount(tmpfs(&["strictatime"])).sh(script)).ok().prints("noted");
}
