use super::*;
use serde_json::{Value, json};

/// `io.max=8:0 rbps=5`, or the violations.
fn planned(version: Version, resources: Value) -> Result<Vec<String>, Vec<String>> {
    let resources: Resources = serde_json::from_value(resources).unwrap();
    let mut violations = Vec::new();
    let mut writes = Vec::new();
    for section in SECTIONS {
        writes.extend((section.writes)(version, &resources, &mut violations));
    }
    let show = |w: &Write| match &w.absent {
        super::super::Absent::Instead { file, value } => format!("{}={} or {file}={value}", w.file, w.value),
        _ => format!("{}={}", w.file, w.value),
    };
    match violations.is_empty() {
        true => Ok(writes.iter().map(show).collect()),
        false => Err(violations.into_iter().map(|v| v.path).collect()),
    }
}

fn block_io() -> Value {
    json!({"blockIO": {
        "weight": 500,
        "weightDevice": [{"major": 8, "minor": 16, "weight": 10}],
        "throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 600}],
        "throttleWriteBpsDevice": [{"major": 8, "minor": 0, "rate": 0}],
        "throttleReadIOPSDevice": [{"major": 8, "minor": 0, "rate": 7}],
        "throttleWriteIOPSDevice": [{"major": 8, "minor": 16, "rate": 300}],
    }})
}

#[test]
fn block_io_of_v1() {
    let mut resources = block_io();
    resources["blockIO"]["leafWeight"] = json!(20);
    resources["blockIO"]["weightDevice"][0]["leafWeight"] = json!(300);
    let expected = [
        "blkio.bfq.weight=500 or blkio.weight=500",
        "blkio.leaf_weight=20",
        "blkio.bfq.weight_device=8:16 10 or blkio.weight_device=8:16 10",
        "blkio.leaf_weight_device=8:16 300",
        "blkio.throttle.read_bps_device=8:0 600",
        "blkio.throttle.write_bps_device=8:0 0",
        "blkio.throttle.read_iops_device=8:0 7",
        "blkio.throttle.write_iops_device=8:16 300",
    ];
    assert_eq!(planned(Version::V1, resources).unwrap(), expected);
}

#[test]
fn block_io_of_v2() {
    let expected = [
        "io.bfq.weight=500 or io.weight=4950",
        "io.bfq.weight=8:16 10 or io.weight=8:16 1",
        "io.max=8:0 rbps=600",
        "io.max=8:0 wbps=max",
        "io.max=8:0 riops=7",
        "io.max=8:16 wiops=300",
    ];
    assert_eq!(planned(Version::V2, block_io()).unwrap(), expected);
    let leaf =
        json!({"blockIO": {"leafWeight": 20, "weightDevice": [{"major": 8, "minor": 0, "leafWeight": 10}]}});
    let refused =
        ["linux.resources.blockIO.leafWeight", "linux.resources.blockIO.weightDevice[0].leafWeight"];
    assert_eq!(planned(Version::V2, leaf).unwrap_err(), refused);
    assert_eq!([10, 100, 1000].map(block_io::cost_weight), [1, 910, 10_000]);
}

#[test]
fn huge_pages_rdma_and_network() {
    let resources = json!({
        "hugepageLimits": [{"pageSize": "2MB", "limit": 0}, {"pageSize": "1GB", "limit": 1 << 30}],
        "rdma": {"mlx5_1": {"hcaHandles": 3, "hcaObjects": 10_000}, "rxe3": {"hcaObjects": 5}},
        "network": {"classID": 1_048_577, "priorities": [{"name": "eth0", "priority": 500}]},
    });
    let v1 = [
        "hugetlb.2MB.limit_in_bytes=0",
        "hugetlb.2MB.rsvd.limit_in_bytes=0",
        "hugetlb.1GB.limit_in_bytes=1073741824",
        "hugetlb.1GB.rsvd.limit_in_bytes=1073741824",
        "rdma.max=mlx5_1 hca_handle=3 hca_object=10000",
        "rdma.max=rxe3 hca_object=5",
        "net_cls.classid=1048577",
        "net_prio.ifpriomap=eth0 500",
    ];
    assert_eq!(planned(Version::V1, resources.clone()).unwrap(), v1);
    let v2 = ["hugetlb.2MB.max=0", "hugetlb.2MB.rsvd.max=0", "hugetlb.1GB.max=1073741824"];
    assert_eq!(planned(Version::V2, resources).unwrap()[..3], v2);
}

#[test]
fn the_order_follows_from_what_the_kernel_checks() {
    let v1 = |resources: Value| planned(Version::V1, resources).unwrap();
    assert_eq!(v1(json!({"cpu": {"shares": 5, "idle": 0}})), ["cpu.idle=0", "cpu.shares=5"]);
    assert_eq!(v1(json!({"cpu": {"shares": 5, "idle": 1}})), ["cpu.shares=5", "cpu.idle=1"]);
    let lifted = ["memory.limit_in_bytes=-1", "memory.memsw.limit_in_bytes=-1"];
    assert_eq!(v1(json!({"memory": {"limit": -1}})), lifted, "memory+swap is never below memory");
}

#[test]
fn a_limit_is_checked_against_the_usage_where_that_is_wanted() {
    let of = |version, checked: bool| {
        let memory = json!({"memory": {"limit": 5, "swap": 9, "checkBeforeUpdate": checked}});
        let resources: Resources = serde_json::from_value(memory).unwrap();
        let writes = memory::writes(version, &resources, &mut Vec::new());
        writes.into_iter().filter_map(|w| w.not_below).collect::<Vec<_>>()
    };
    assert_eq!(of(Version::V1, true), ["memory.usage_in_bytes", "memory.memsw.usage_in_bytes"]);
    assert_eq!(of(Version::V2, true), ["memory.current", "memory.swap.current"]);
    assert!(of(Version::V2, false).is_empty());
}
