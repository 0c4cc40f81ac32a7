//! `linux.resources.blockIO`

use crate::spec::config::BlockIo;
use crate::spec::validate::Report;
use crate::spec::validate::at::At;
use crate::spec::validate::linux::{MAJOR_MAX, MINOR_MAX};

/// Most operations a second: an unsigned int of the kernel (blk-throttle.c).
const IOPS_MAX: u64 = u32::MAX as u64;

pub(super) fn check(io: &BlockIo, at: &At<'_>, report: &mut Report) {
    weight(io.weight, &at.key("weight"), report);
    weight(io.leaf_weight, &at.key("leafWeight"), report);
    let devices = at.key("weightDevice");
    for (i, entry) in io.weight_device.iter().enumerate() {
        let at = devices.index(i);
        if entry.weight.is_none() && entry.leaf_weight.is_none() {
            report.error(&at, "has neither weight nor leafWeight");
        }
        device(entry.major, entry.minor, &at, report);
        weight(entry.weight, &at.key("weight"), report);
        weight(entry.leaf_weight, &at.key("leafWeight"), report);
    }
    for (key, entries, most) in [
        ("throttleReadBpsDevice", &io.throttle_read_bps_device, u64::MAX),
        ("throttleWriteBpsDevice", &io.throttle_write_bps_device, u64::MAX),
        ("throttleReadIOPSDevice", &io.throttle_read_iops_device, IOPS_MAX),
        ("throttleWriteIOPSDevice", &io.throttle_write_iops_device, IOPS_MAX),
    ] {
        let entries_at = at.key(key);
        for (i, entry) in entries.iter().enumerate() {
            let at = entries_at.index(i);
            device(entry.major, entry.minor, &at, report);
            if entry.rate > most {
                let text = format!("{} is above {most}, the most that the kernel counts", entry.rate);
                report.error(&at.key("rate"), text);
            }
        }
    }
}

fn weight(weight: Option<u16>, at: &At<'_>, report: &mut Report) {
    if let Some(weight) = weight.filter(|weight| *weight != 0 && !(10..=1000).contains(weight)) {
        report.error(at, format!("{weight} is not from 10 to 1000"));
    }
}

fn device(major: i64, minor: i64, at: &At<'_>, report: &mut Report) {
    for (key, number, max) in [("major", major, MAJOR_MAX), ("minor", minor, MINOR_MAX)] {
        if !(0..=max).contains(&number) {
            report.error(&at.key(key), format!("{number} is not from 0 to {max}"));
        }
    }
}
