//! config.md: sections of other systems, and members that the specification does not have.

use crate::harness::prelude::*;

cases!("platforms", root: [
    members_that_are_not_known_are_ignored,
    sections_of_other_systems_are_ignored,
    members_of_other_systems_are_ignored,
    a_configuration_for_another_system_is_refused,
    a_virtual_machine_is_refused,
    an_empty_section_asks_for_no_virtual_machine,
]);

fn members_that_are_not_known_are_ignored(t: &Case) {
    let bundle = t
        .bundle()
        .set("/no-such-member", json!({"a": [1, {"b": null}]}))
        .set("/process/noSuchMember", json!("x"))
        .set("/linux/noSuchMember", json!(5))
        .set("/linux/resources/noSuchMember", json!(true));
    t.run(&bundle.sh("echo runs")).ok().prints("runs");
}

fn sections_of_other_systems_are_ignored(t: &Case) {
    let bundle = t
        .bundle()
        .set("/windows", json!({"layerFolders": ["C:\\\\layer"], "ignoreFlushesDuringBoot": true}))
        .set("/solaris", json!({"milestone": "svc:/milestone/container:default"}))
        .set("/freebsd", json!({"jail": {"vnet": "new"}}))
        .set("/zos", json!({"namespaces": [{"type": "pid"}]}));
    t.run(&bundle.sh("echo runs")).ok().prints("runs");
}

fn members_of_other_systems_are_ignored(t: &Case) {
    let bundle = t
        .bundle()
        .set("/process/commandLine", json!("cmd.exe /c echo no"))
        .set("/process/user/username", json!("ContainerAdministrator"));
    t.run(&bundle.sh("echo runs; id -u")).ok().prints("runs\n0");
}

fn a_configuration_for_another_system_is_refused(t: &Case) {
    for (system, section) in [
        ("freebsd", json!({"jail": {"vnet": "inherit"}})),
        ("zos", json!({"namespaces": [{"type": "pid"}]})),
        ("windows", json!({"layerFolders": []})),
        ("solaris", json!({})),
    ] {
        let bundle = t.bundle().unset("/linux").set(&format!("/{system}"), section);
        t.run(&bundle).fails();
        t.assert_no_side_effects();
    }
}

/// What cannot be applied is an error (runtime.md, "Create").
fn a_virtual_machine_is_refused(t: &Case) {
    let vm = json!({"kernel": {"path": "/boot/vmlinuz"}, "hypervisor": {"path": "/usr/bin/qemu"}});
    t.run(&t.bundle().set("/vm", vm)).fails();
    t.assert_no_side_effects();
}

fn an_empty_section_asks_for_no_virtual_machine(t: &Case) {
    t.run(&t.bundle().set("/vm", json!({})).sh("echo runs")).ok().prints("runs");
}
