//! Device rules, by the v1 controller and by eBPF.

use super::*;
use std::os::fd::AsFd;

/// kmsg (1:11) is in no default.
pub const KMSG: &str = ": < /dev/null && echo null; : < /dev/kmsg && echo kmsg";

fn devices_are_restricted(facts: &Facts) {
    if !Path::new("/dev/kmsg").exists() {
        return println!("skipped: no /dev/kmsg");
    }
    let output = Groups::new(facts, &unique(), json!({})).run(KMSG);
    assert_eq!(output.stdout, b"null\n", "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("Operation not permitted"), "{output:?}");
    for rule in [
        json!([{"allow": false, "access": "rwm"}, {"allow": true, "type": "c", "major": 1, "minor": 11, "access": "r"}]),
        json!([{"allow": true, "access": "rwm"}]),
    ] {
        let output = Groups::new(facts, &unique(), json!({"devices": rule})).run(KMSG);
        assert_eq!(output.stdout, b"null\nkmsg\n", "{output:?}");
    }
    let read_only = json!([{"allow": true, "type": "c", "major": 1, "minor": 11, "access": "r"}]);
    let output = Groups::new(facts, &unique(), json!({"devices": read_only})).run(": >> /dev/kmsg");
    assert!(!output.status.success(), "{output:?}");
}

#[test]
fn v1_restricts_devices() {
    let Some(facts) = machine().and_then(|f| only(&f, has("devices"))) else { return };
    devices_are_restricted(&facts);
}

#[test]
fn v2_restricts_devices_by_ebpf() {
    let Some(facts) = machine().and_then(|f| only(&f, |h| h.version == Version::V2)) else { return };
    devices_are_restricted(&facts);
}

#[test]
fn device_programs_of_an_earlier_use_are_replaced() {
    let Some(facts) = machine().and_then(|f| only(&f, |h| h.version == Version::V2)) else { return };
    let path = unique();
    let groups = Groups::new(&facts, &path, json!({}));
    assert_eq!(groups.run(KMSG).stdout, b"null\n");
    let rule = json!([{"allow": true, "type": "c", "major": 1, "minor": 11, "access": "r"}]);
    cgroup::create(&planned(&facts, &path, json!({"devices": rule})).unwrap()).unwrap();
    assert_eq!(groups.run(KMSG).stdout, b"null\nkmsg\n");
    let rule = json!([{"allow": true, "access": "rwm"}]);
    cgroup::create(&planned(&facts, &path, json!({"devices": rule})).unwrap()).unwrap();
    let mut ids = [0; sys::bpf::MOST_PROGRAMS];
    let into = groups.0.into.as_ref().unwrap();
    assert_eq!(sys::bpf::device_programs(into.as_fd(), &mut ids).unwrap(), 0);
}
