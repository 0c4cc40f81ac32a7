//! How a write is taken back.

/// What puts back the content that `file` had before `written`, if that is known.
///
/// Most files have one value. Those with a line for each device or interface take such lines one at a
/// time; what has no line yet is reset by a word that differs from file to file.
pub fn former(file: &str, written: &str, content: &str) -> Option<String> {
    let first = content.lines().next().unwrap_or_default().trim();
    let key = match written.split_once(' ') {
        Some((key, _)) if file != "cpu.max" => key,
        _ if file == "memory.oom_control" => {
            return first.strip_prefix("oom_kill_disable ").map(String::from);
        }
        // An empty write does not reach the kernel.
        _ if first.is_empty() => return Some("\n".into()),
        _ => return Some(first.into()),
    };
    let of_key = |line: &&str| line.split_whitespace().next() == Some(key);
    if let Some(line) = content.lines().find(of_key) {
        return Some(line.trim().into());
    }
    let none = match file {
        "io.max" => "rbps=max wbps=max riops=max wiops=max",
        "rdma.max" => "hca_handle=max hca_object=max",
        "io.weight" | "io.bfq.weight" | "blkio.bfq.weight_device" => "default",
        _ if file.starts_with("blkio.") => "0",
        _ => return None,
    };
    Some(format!("{key} {none}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn back(file: &str, written: &str, content: &str) -> String {
        former(file, written, content).unwrap_or_default()
    }

    #[test]
    fn a_single_value_is_put_back_as_it_was() {
        assert_eq!(back("memory.max", "5", "max\n"), "max");
        assert_eq!(back("cpu.max", "50000 100000", "max 100000\n"), "max 100000");
        assert_eq!(back("cpuset.cpus", "0", "\n"), "\n");
        assert_eq!(back("memory.oom_control", "1", "oom_kill_disable 0\nunder_oom 0\n"), "0");
        assert_eq!(back("io.weight", "100", "default 7\n8:0 9\n"), "default 7");
    }

    #[test]
    fn of_a_file_with_lines_the_one_of_the_device_is_put_back() {
        let io = "8:16 rbps=max wbps=5 riops=max wiops=max\n";
        assert_eq!(back("io.max", "8:16 rbps=1", io), "8:16 rbps=max wbps=5 riops=max wiops=max");
        assert_eq!(back("io.max", "8:0 rbps=1", io), "8:0 rbps=max wbps=max riops=max wiops=max");
        assert_eq!(back("blkio.throttle.read_bps_device", "8:0 5", ""), "8:0 0");
        assert_eq!(back("blkio.throttle.read_bps_device", "8:0 5", "8:0 7\n"), "8:0 7");
        assert_eq!(back("blkio.bfq.weight_device", "8:0 5", "default 100\n"), "8:0 default");
        assert_eq!(back("rdma.max", "mlx hca_handle=1", ""), "mlx hca_handle=max hca_object=max");
        assert_eq!(back("net_prio.ifpriomap", "lo 5", "lo 0\neth0 0\n"), "lo 0");
        assert_eq!(former("io.latency", "8:0 target=1", ""), None);
    }
}
