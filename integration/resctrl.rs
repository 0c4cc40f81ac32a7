//! `linux.intelRdt`: no kernel at hand has resctrl, so what is seen here is how it is missed.

use crate::harness::prelude::*;

cases!("resctrl", root: [
    without_resctrl_a_class_is_an_error,
    without_a_class_resctrl_is_not_needed,
]);

fn is_mounted() -> bool {
    fs::read_to_string("/proc/self/mountinfo").expect("mountinfo").contains(" - resctrl ")
}

fn without_resctrl_a_class_is_an_error(t: &Case) {
    if is_mounted() {
        t.skip("needs a host without resctrl");
    }
    for rdt in [
        json!({}),
        json!({"closID": "gold"}),
        json!({"closID": "/", "enableMonitoring": true}),
        json!({"l3CacheSchema": "L3:0=f", "memBwSchema": "MB:0=20"}),
        json!({"schemata": ["L3:0=f"]}),
    ] {
        t.run(&t.bundle().set("/linux/intelRdt", rdt)).fails().says("resctrl");
        t.assert_no_side_effects();
    }
}

fn without_a_class_resctrl_is_not_needed(t: &Case) {
    t.run(&t.bundle().set("/linux/intelRdt", Value::Null)).ok();
}
