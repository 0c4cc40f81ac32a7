//! `process.apparmorProfile`, on a kernel with AppArmor: profiles are loaded with apparmor_parser(8).

use std::process::{Command, Stdio};

use crate::harness::child_process::succeeds;
use crate::harness::executed::{idle, process_file};
use crate::harness::prelude::*;

cases!("apparmor", root: [
    a_profile_is_that_of_the_program,
    a_profile_denies_what_it_says,
    a_profile_works_with_no_new_privileges_and_without,
    a_profile_works_under_a_seccomp_filter,
    a_profile_works_in_a_user_namespace,
    a_profile_holds_hooks_of_the_container,
    exec_has_the_profile_of_the_container,
    exec_has_the_profile_of_its_flag,
    exec_has_the_profile_of_its_process_file,
    a_profile_that_is_not_loaded_is_named,
    exec_names_a_profile_that_is_not_loaded,
    unconfined_is_no_profile,
    a_proc_of_the_image_does_not_take_the_profile_away,
    a_profile_without_apparmor_is_refused,
]);

/// A profile that is loaded until it is dropped: everything is allowed but to read /etc/secret.
struct Profile {
    name: String,
    text: PathBuf,
}

impl Profile {
    fn load(t: &Case) -> Profile {
        let enabled = fs::read_to_string("/sys/module/apparmor/parameters/enabled").unwrap_or_default();
        if enabled.trim() != "Y" {
            t.skip("needs AppArmor");
        }
        let name = t.id();
        let rules = "file, capability, network, mount, pivot_root, umount, signal, ptrace, unix, dbus, userns,\n\
             deny /etc/secret r,\n";
        let text = t.file(
            &name,
            &format!("abi <abi/4.0>,\nprofile {name} flags=(attach_disconnected) {{\n{rules}}}\n"),
        );
        let profile = Profile { name, text };
        assert!(profile.parser("--add"), "apparmor_parser loads the profile");
        profile
    }

    fn parser(&self, action: &str) -> bool {
        let mut parser = Command::new("/usr/sbin/apparmor_parser");
        succeeds(parser.args(["--skip-cache", action]).arg(&self.text).stdout(Stdio::null()))
    }

    /// A container with it, and with a secret.
    fn bundle(&self, t: &Case) -> Bundle {
        let bundle = t.bundle().set("/process/apparmorProfile", json!(self.name));
        fs::write(bundle.in_rootfs("/etc/secret"), "the secret").expect("write");
        bundle
    }

    /// What the kernel says of a process that has it.
    fn enforced(&self) -> String {
        format!("{} (enforce)", self.name)
    }
}

impl Drop for Profile {
    fn drop(&mut self) {
        self.parser("--remove");
    }
}

const CURRENT: &[&str] = &["/bin/cat", "/proc/self/attr/current"];
const READ: &str = "cat /etc/secret 2>/dev/null || echo denied; cat /etc/group >/dev/null && echo allowed";

fn a_profile_is_that_of_the_program(t: &Case) {
    let profile = Profile::load(t);
    t.run(&profile.bundle(t).args(CURRENT)).ok().prints(&profile.enforced());
}

fn a_profile_denies_what_it_says(t: &Case) {
    let profile = Profile::load(t);
    let bundle = profile.bundle(t).sh(READ);
    t.run(&bundle).ok().prints("denied\nallowed");
    let without = bundle.unset("/process/apparmorProfile");
    assert!(t.run(&without).ok().stdout.starts_with("the secret"));
}

fn a_profile_works_with_no_new_privileges_and_without(t: &Case) {
    let profile = Profile::load(t);
    for value in [true, false] {
        let bundle = profile.bundle(t).set("/process/noNewPrivileges", json!(value));
        t.run(&bundle.args(CURRENT)).ok().prints(&profile.enforced());
    }
}

fn a_profile_works_under_a_seccomp_filter(t: &Case) {
    let profile = Profile::load(t);
    let rule = json!({"names": ["mkdir"], "action": "SCMP_ACT_ERRNO"});
    let filter = json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]});
    for value in [true, false] {
        let bundle = profile.bundle(t).set("/linux/seccomp", filter.clone());
        let bundle = bundle.set("/process/noNewPrivileges", json!(value)).sh(READ);
        t.run(&bundle).ok().prints("denied\nallowed");
    }
}

fn a_profile_works_in_a_user_namespace(t: &Case) {
    let profile = Profile::load(t);
    let bundle = profile.bundle(t).user_namespace(100_000).sh(READ);
    t.run(&bundle).ok().prints("denied\nallowed");
}

fn a_profile_holds_hooks_of_the_container(t: &Case) {
    let profile = Profile::load(t);
    let bundle =
        profile.bundle(t).writable().hook("startContainer", "cat /proc/self/attr/current >/opt/hook");
    t.run(&bundle.clone().args(&["/bin/true"])).ok();
    let seen = fs::read_to_string(bundle.in_rootfs("/opt/hook")).expect("what the hook wrote");
    assert_eq!(seen.trim(), profile.enforced());
}

fn exec(t: &Case, flags: &[&str], container: &Container, args: &[&str]) -> Output {
    t.runtime(&[&["exec"], flags, &[container.id.as_str()], args].concat()).run()
}

fn exec_has_the_profile_of_the_container(t: &Case) {
    let profile = Profile::load(t);
    let container = idle(t, &profile.bundle(t));
    exec(t, &[], &container, CURRENT).ok().prints(&profile.enforced());
    exec(t, &[], &container, &["/bin/sh", "-c", READ]).ok().prints("denied\nallowed");
    let file = process_file(t, CURRENT, json!({}));
    exec(t, &["--process", &file], &container, &[]).ok().prints(&profile.enforced());
}

fn exec_has_the_profile_of_its_flag(t: &Case) {
    let (profile, other) = (Profile::load(t), Profile::load(t));
    let container = idle(t, &profile.bundle(t));
    exec(t, &["--apparmor", &other.name], &container, CURRENT).ok().prints(&other.enforced());
}

fn exec_has_the_profile_of_its_process_file(t: &Case) {
    let (profile, other) = (Profile::load(t), Profile::load(t));
    let container = idle(t, &profile.bundle(t));
    let file = process_file(t, CURRENT, json!({"apparmorProfile": other.name}));
    exec(t, &["--process", &file], &container, &[]).ok().prints(&other.enforced());
}

fn a_profile_that_is_not_loaded_is_named(t: &Case) {
    drop(Profile::load(t));
    let bundle = t.bundle().set("/process/apparmorProfile", json!("no-such-profile"));
    t.run(&bundle.args(CURRENT)).fails().says("no-such-profile");
    t.assert_no_side_effects();
}

fn exec_names_a_profile_that_is_not_loaded(t: &Case) {
    let profile = Profile::load(t);
    let container = idle(t, &profile.bundle(t));
    exec(t, &["--apparmor", "no-such-profile"], &container, CURRENT).fails().says("no-such-profile");
    assert_eq!(container.status(), "running");
}

fn unconfined_is_no_profile(t: &Case) {
    drop(Profile::load(t));
    let bundle = t.bundle().set("/process/apparmorProfile", json!("unconfined"));
    t.run(&bundle.args(CURRENT)).ok().prints("unconfined");
}

/// What is written to a file of the image would confine nothing (CVE-2019-16884).
fn a_proc_of_the_image_does_not_take_the_profile_away(t: &Case) {
    let profile = Profile::load(t);
    let bundle = profile.bundle(t);
    let fake = t.directory("fake");
    for dir in ["self/attr/apparmor", "thread-self/attr/apparmor", "1/attr/apparmor"] {
        fs::create_dir_all(fake.join(dir)).expect("mkdir");
        for file in ["exec", "../exec"] {
            fs::write(fake.join(dir).join(file), "").expect("write");
        }
    }
    let mut bundle = bundle.bind(fake, "/proc", &["bind"]);
    bundle.list("/mounts").retain(|mount| mount["type"] != "proc");
    let bundle = bundle.set("/linux/maskedPaths", json!([])).set("/linux/readonlyPaths", json!([]));
    let output = t.run(&bundle.sh(READ));
    let refused = output.stdout.is_empty();
    assert!(refused || output.stdout == "denied\nallowed\n", "{:?}", output.stdout);
}

fn a_profile_without_apparmor_is_refused(t: &Case) {
    if fs::read_to_string("/sys/module/apparmor/parameters/enabled").is_ok_and(|text| text.trim() == "Y") {
        t.skip("needs a kernel without AppArmor");
    }
    let bundle = t.bundle().args(&["/bin/true"]);
    t.run(&bundle.clone().set("/process/apparmorProfile", json!("a-profile"))).fails().says("apparmor");
    t.assert_no_side_effects();
    t.run(&bundle.set("/process/apparmorProfile", json!("unconfined"))).ok();
}
