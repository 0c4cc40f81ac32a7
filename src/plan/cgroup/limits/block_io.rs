//! `linux.resources.blockIO`
//!
//! Which file has the weights depends on the scheduler that the kernel was built with: BFQ has its own
//! in both generations; before it there was CFQ on v1, beside it there is the cost model on v2.

use super::{Version, Write, set, v1_only};
use crate::error::Violation;
use crate::spec::config::{BlockIo, Resources, ThrottleDevice};

pub(super) fn writes(version: Version, resources: &Resources, violations: &mut Vec<Violation>) -> Vec<Write> {
    let Some(io) = &resources.block_io else { return Vec::new() };
    let mut writes = Vec::new();
    weights(version, io, &mut writes, violations);
    let limits = [
        (&io.throttle_read_bps_device, "throttleReadBpsDevice", "read_bps", "rbps"),
        (&io.throttle_write_bps_device, "throttleWriteBpsDevice", "write_bps", "wbps"),
        (&io.throttle_read_iops_device, "throttleReadIOPSDevice", "read_iops", "riops"),
        (&io.throttle_write_iops_device, "throttleWriteIOPSDevice", "write_iops", "wiops"),
    ];
    for (entries, field, v1, v2) in limits {
        for (index, entry) in entries.iter().enumerate() {
            let location = format!("linux.resources.blockIO.{field}[{index}]");
            writes.push(match version {
                Version::V1 => {
                    let file = format!("blkio.throttle.{v1}_device");
                    Write::new(&file, format!("{} {}", device(entry), entry.rate), location)
                }
                Version::V2 => {
                    // 0 lifts the limit on v1 and is an error on v2.
                    let rate = set(Some(entry.rate)).map_or("max".into(), |rate| rate.to_string());
                    Write::new("io.max", format!("{} {v2}={rate}", device(entry)), location)
                }
            });
        }
    }
    writes
}

fn weights(version: Version, io: &BlockIo, writes: &mut Vec<Write>, violations: &mut Vec<Violation>) {
    let at = |field: &str| format!("linux.resources.blockIO.{field}");
    writes.extend(set(io.weight).map(|weight| group_weight(version, weight)));
    if let Some(weight) = set(io.leaf_weight) {
        match version {
            Version::V1 => writes.push(Write::new("blkio.leaf_weight", weight, at("leafWeight"))),
            Version::V2 => v1_only(&at("leafWeight"), true, violations),
        }
    }
    for (index, entry) in io.weight_device.iter().enumerate() {
        let device = format!("{}:{}", entry.major, entry.minor);
        let at = |field: &str| at(&format!("weightDevice[{index}].{field}"));
        writes.extend(set(entry.weight).map(|weight| {
            let (value, location) = (format!("{device} {weight}"), at("weight"));
            match version {
                Version::V1 => {
                    Write::new("blkio.bfq.weight_device", &value, location).or("blkio.weight_device", &value)
                }
                Version::V2 => Write::new("io.bfq.weight", value, location)
                    .or("io.weight", format!("{device} {}", cost_weight(weight))),
            }
        }));
        if let Some(weight) = set(entry.leaf_weight) {
            match version {
                Version::V1 => {
                    let value = format!("{device} {weight}");
                    writes.push(Write::new("blkio.leaf_weight_device", value, at("leafWeight")));
                }
                Version::V2 => v1_only(&at("leafWeight"), true, violations),
            }
        }
    }
}

fn group_weight(version: Version, weight: u16) -> Write {
    let location = "linux.resources.blockIO.weight";
    match version {
        Version::V1 => Write::new("blkio.bfq.weight", weight, location).or("blkio.weight", weight),
        Version::V2 => Write::new("io.bfq.weight", weight, location).or("io.weight", cost_weight(weight)),
    }
}

/// `io.weight` (1 to 10000) for a weight of v1 (10 to 1000), in proportion.
pub(super) fn cost_weight(weight: u16) -> u64 {
    1 + (u64::from(weight).clamp(10, 1000) - 10) * 9999 / 990
}

fn device(entry: &ThrottleDevice) -> String {
    format!("{}:{}", entry.major, entry.minor)
}
