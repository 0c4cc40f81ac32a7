//! `linux.resources.blockIO`: weights and limits, and what the limits do to a loop device.

use std::time::Instant;

use crate::harness::cgroups::Version;
use crate::harness::loop_device::LoopDevice;
use crate::harness::prelude::*;

cases!("block_io", root: [
    reading_is_held_to_its_bytes_a_second,
    writing_is_held_to_its_bytes_a_second,
    reading_is_held_to_its_operations_a_second,
    writing_is_held_to_its_operations_a_second,
    a_rate_of_zero_is_no_limit,
    the_weight_is_set,
    a_device_has_a_weight_of_its_own,
    a_leaf_weight_that_the_kernel_does_not_have_is_refused,
    block_io_of_a_device_that_is_not_there_is_refused,
    block_io_that_asks_for_nothing_is_ignored,
]);

/// Version of the hierarchy that has block I/O, and what the controller is called there; or skips.
fn controller(t: &Case) -> (Version, &'static str) {
    let found = |name: &str| t.host.cgroups.with_controller(name).map(|h| h.version);
    match (found("blkio"), found("io")) {
        (Some(version), _) => (version, "blkio"),
        (None, Some(version)) => (version, "io"),
        (None, None) => t.skip("needs the cgroup controller blkio or io"),
    }
}

/// A file of its cgroup; skips if this kernel has none of these.
fn file(t: &Case, container: &Container, names: &[&str]) -> (String, String) {
    let dir = t.cgroup_dir(controller(t).1, &container.cgroup_path());
    let found = names.iter().find_map(|name| Some((*name, fs::read_to_string(dir.join(name)).ok()?)));
    let (name, text) = found.unwrap_or_else(|| t.skip(format!("needs {}", names.join(" or "))));
    (name.to_string(), text.trim().to_string())
}

/// How many `bytes` or operations of this kind the container has had of the device.
fn served(t: &Case, container: &Container, device: &LoopDevice, kind: &str, bytes: bool) -> u64 {
    let (version, _) = controller(t);
    let (name, key) = match (version, bytes) {
        (Version::V1, true) => ("blkio.throttle.io_service_bytes", kind.to_string()),
        (Version::V1, false) => ("blkio.throttle.io_serviced", kind.to_string()),
        (Version::V2, true) => ("io.stat", format!("{}bytes", kind[..1].to_lowercase())),
        (Version::V2, false) => ("io.stat", format!("{}ios", kind[..1].to_lowercase())),
    };
    let (_, text) = file(t, container, &[name]);
    let lines = text.lines().filter_map(|line| line.strip_prefix(&format!("{} ", device.numbers())));
    let mut words = lines.flat_map(|line| line.split([' ', '='])).skip_while(|word| *word != key);
    words.nth(1).map_or(0, |count| count.parse().expect("a number"))
}

/// Lets the device be used, and limits it.
fn on(bundle: Bundle, device: &LoopDevice, key: &str, rate: u64) -> Bundle {
    let (major, minor) = (device.major, device.minor);
    let node = json!([{"path": "/dev/disk", "type": "b", "major": major, "minor": minor}]);
    let allow = json!({"allow": true, "type": "b", "major": major, "minor": minor, "access": "rw"});
    let limit = json!({key: [{"major": major, "minor": minor, "rate": rate}]});
    let bundle = bundle.set("/linux/devices", node).set("/linux/resources/blockIO", limit);
    bundle.set("/linux/resources/devices", json!([{"allow": false, "access": "rwm"}, allow]))
}

const READ: &str = "exec dd if=/dev/disk of=/dev/null bs=16k iflag=direct";
const WRITE: &str = "exec dd if=/dev/zero of=/dev/disk bs=16k oflag=direct";

/// The device has 64 MiB, 4096 blocks of 16 KiB: without a limit that takes less than a second. With it, what
/// is served may not be more than 1.15 times the limit, however slow the machine is.
fn is_held(t: &Case, key: &str, script: &str, kind: &str, rate: u64) {
    let bytes = key.contains("Bps");
    controller(t);
    let device = LoopDevice::new(t, 64 << 20);
    let container = t.launch(&on(t.bundle(), &device, key, rate).sh(script));
    let count = || served(t, &container, &device, kind, bytes);
    eventually("the device is used", || count() >= rate / 4);
    let (start, before) = (Instant::now(), count());
    eventually("it is used on", || count() >= before + rate * 3 / 2);
    // Counted first: what is served between the two looks is not held against the limit.
    let (seconds, after) = (start.elapsed().as_secs_f64(), count());
    let measured = (after - before) as f64 / start.elapsed().as_secs_f64();
    assert!(measured <= 1.15 * rate as f64, "{measured:.0} a second instead of {rate}, in {seconds:.2} s");
    container.delete_by_force().ok();
    // Not the device is that slow.
    t.run(&on(t.bundle(), &device, key, 0).sh(script));
}

fn reading_is_held_to_its_bytes_a_second(t: &Case) {
    is_held(t, "throttleReadBpsDevice", READ, "Read", 1 << 20);
}

fn writing_is_held_to_its_bytes_a_second(t: &Case) {
    is_held(t, "throttleWriteBpsDevice", WRITE, "Write", 1 << 20);
}

fn reading_is_held_to_its_operations_a_second(t: &Case) {
    is_held(t, "throttleReadIOPSDevice", READ, "Read", 80);
}

fn writing_is_held_to_its_operations_a_second(t: &Case) {
    is_held(t, "throttleWriteIOPSDevice", WRITE, "Write", 80);
}

fn a_rate_of_zero_is_no_limit(t: &Case) {
    let (version, _) = controller(t);
    let device = LoopDevice::new(t, 1 << 20);
    let container = t.create(&on(t.bundle(), &device, "throttleReadBpsDevice", 0));
    let name = if version == Version::V1 { "blkio.throttle.read_bps_device" } else { "io.max" };
    assert_eq!(file(t, &container, &[name]).1, "");
}

/// The files that weights may be in, best first.
fn weights(t: &Case, of_a_device: bool) -> Vec<&'static str> {
    match (controller(t).0, of_a_device) {
        (Version::V1, false) => vec!["blkio.bfq.weight", "blkio.weight"],
        (Version::V1, true) => vec!["blkio.bfq.weight_device", "blkio.weight_device"],
        (Version::V2, _) => vec!["io.bfq.weight", "io.weight"],
    }
}

/// config-linux.md leaves the conversion open; all runtimes do it so.
fn in_file(name: &str, weight: u64) -> u64 {
    if name == "io.weight" { 1 + (weight - 10) * 9999 / 990 } else { weight }
}

fn the_weight_is_set(t: &Case) {
    let names = weights(t, false);
    file(t, &t.create(&t.bundle()), &names);
    for weight in [10, 500, 1000] {
        let io = json!({"weight": weight});
        let container = t.create(&t.bundle().set("/linux/resources/blockIO", io));
        let (name, text) = file(t, &container, &names);
        let shown = text.lines().next().unwrap_or_default().trim_start_matches("default ");
        assert_eq!(shown, in_file(&name, weight).to_string(), "{name}");
    }
}

fn a_device_has_a_weight_of_its_own(t: &Case) {
    let names = weights(t, true);
    let device = LoopDevice::new(t, 1 << 20);
    let entry = json!([{"major": device.major, "minor": device.minor, "weight": 300}]);
    let bundle = t.bundle().set("/linux/resources/blockIO/weightDevice", entry);
    // BFQ has weights for the disks that it schedules only, iocost for those that it was told of.
    let scheduled = device.schedule("bfq");
    let name = file(t, &t.create(&t.bundle()), &names).0;
    if controller(t).0 == Version::V2 && !scheduled {
        t.run(&bundle).fails().says("linux.resources.blockIO.weightDevice[0]").says("keeps weights");
        t.skip("the kernel has no scheduler bfq");
    }
    if name.contains("bfq") && !scheduled {
        t.skip(format!("{name}: the kernel has no scheduler bfq"));
    }
    let container = t.create(&bundle);
    let line = format!("{} {}", device.numbers(), in_file(&name, 300));
    let shown = file(t, &container, &[name.as_str()]).1;
    assert!(shown.lines().any(|shown| shown == line), "{shown}");
}

fn a_leaf_weight_that_the_kernel_does_not_have_is_refused(t: &Case) {
    let (_, name) = controller(t);
    let container = t.create(&t.bundle());
    if t.cgroup_dir(name, &container.cgroup_path()).join("blkio.leaf_weight").exists() {
        t.skip("this kernel has leaf weights");
    }
    container.delete_by_force().ok();
    t.run(&t.bundle().set("/linux/resources/blockIO", json!({"leafWeight": 100}))).fails().says("leaf");
    t.assert_no_side_effects();
}

/// No disk has the major number 4000.
fn block_io_of_a_device_that_is_not_there_is_refused(t: &Case) {
    let (version, _) = controller(t);
    let entry = json!([{"major": 4000, "minor": 7, "rate": 5000}]);
    for (key, v1) in [
        ("throttleReadBpsDevice", "blkio.throttle.read_bps_device"),
        ("throttleWriteIOPSDevice", "blkio.throttle.write_iops_device"),
    ] {
        let bundle = t.bundle().set(&format!("/linux/resources/blockIO/{key}"), entry.clone());
        t.run(&bundle).fails().says(if version == Version::V1 { v1 } else { "io.max" });
        t.assert_no_side_effects();
    }
}

/// As Docker writes it.
fn block_io_that_asks_for_nothing_is_ignored(t: &Case) {
    let empty = json!({"weight": 0, "weightDevice": [], "throttleReadBpsDevice": null});
    t.run(&t.bundle().set("/linux/resources/blockIO", empty)).ok();
    t.run(&t.bundle().set("/linux/resources/blockIO", json!({}))).ok();
}
