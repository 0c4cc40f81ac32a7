//! `linux.memoryPolicy`: as /proc/self/numa_maps shows it to the program.

use crate::harness::prelude::*;

cases!("memory_policy", root: [
    every_mode_is_that_of_the_program,
    flags_are_part_of_the_policy,
    exec_has_the_policy_of_the_container,
    children_have_the_policy_of_the_program,
    a_node_that_is_not_there_is_refused,
]);

const POLICY: &[&str] = &["/bin/sh", "-c", "read -r address policy rest </proc/self/numa_maps; echo $policy"];

fn with_policy(t: &Case, policy: Value) -> Bundle {
    if !Path::new("/proc/self/numa_maps").exists() {
        t.skip("needs a kernel with NUMA memory policies");
    }
    t.bundle().set("/linux/memoryPolicy", policy).args(POLICY)
}

fn every_mode_is_that_of_the_program(t: &Case) {
    for (mode, nodes, shown) in [
        ("MPOL_DEFAULT", "", "default"),
        ("MPOL_BIND", "0", "bind:0"),
        ("MPOL_INTERLEAVE", "0", "interleave:0"),
        ("MPOL_PREFERRED", "0", "prefer:0"),
        ("MPOL_LOCAL", "", "local"),
    ] {
        t.run(&with_policy(t, json!({"mode": mode, "nodes": nodes}))).ok().prints(shown);
    }
    // Their names have a space.
    for (mode, shown) in [("MPOL_PREFERRED_MANY", "prefer"), ("MPOL_WEIGHTED_INTERLEAVE", "weighted")] {
        t.run(&with_policy(t, json!({"mode": mode, "nodes": "0-0,0"}))).ok().prints(shown);
    }
}

fn flags_are_part_of_the_policy(t: &Case) {
    for (mode, flag, shown) in [
        ("MPOL_BIND", "MPOL_F_STATIC_NODES", "bind=static:0"),
        ("MPOL_INTERLEAVE", "MPOL_F_RELATIVE_NODES", "interleave=relative:0"),
    ] {
        t.run(&with_policy(t, json!({"mode": mode, "nodes": "0", "flags": [flag]}))).ok().prints(shown);
    }
    let balancing = json!({"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_NUMA_BALANCING"]});
    let output = t.run(&with_policy(t, balancing));
    assert!(output.ok().stdout.starts_with("bind"), "{:?}", output.stdout);
}

fn exec_has_the_policy_of_the_container(t: &Case) {
    let bundle = with_policy(t, json!({"mode": "MPOL_BIND", "nodes": "0"}));
    let container = t.launch(&bundle.args(&["/bin/sleep", "300"]));
    t.runtime(&[&["exec", container.id.as_str()], POLICY].concat()).run().ok().prints("bind:0");
}

fn children_have_the_policy_of_the_program(t: &Case) {
    let bundle = with_policy(t, json!({"mode": "MPOL_INTERLEAVE", "nodes": "0"}));
    let script = "sh -c 'read -r address policy rest </proc/self/numa_maps; echo $policy'; true";
    t.run(&bundle.sh(script)).ok().prints("interleave:0");
}

fn a_node_that_is_not_there_is_refused(t: &Case) {
    let bundle = with_policy(t, json!({"mode": "MPOL_BIND", "nodes": "1000"}));
    t.run(&bundle).fails().says("invalid argument");
    t.assert_no_side_effects();
}
