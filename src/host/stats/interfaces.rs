//! The network interfaces of a container (proc_pid_net(5), `dev`).

use serde::Serialize;

/// One of them, with the names that runc gives the counters.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs)]
pub struct Interface {
    pub name: String,
    pub rx_bytes: u64,
    pub rx_packets: u64,
    pub rx_errors: u64,
    pub rx_dropped: u64,
    pub tx_bytes: u64,
    pub tx_packets: u64,
    pub tx_errors: u64,
    pub tx_dropped: u64,
}

/// All but `lo`.
pub(super) fn parse(table: &str) -> Vec<Interface> {
    table.lines().skip(2).filter_map(line).filter(|interface| interface.name != "lo").collect()
}

fn line(line: &str) -> Option<Interface> {
    let (name, counters) = line.split_once(':')?;
    let counters: Vec<u64> = counters.split_whitespace().filter_map(|n| n.parse().ok()).collect();
    let at = |index: usize| counters.get(index).copied();
    Some(Interface {
        name: name.trim().to_owned(),
        rx_bytes: at(0)?,
        rx_packets: at(1)?,
        rx_errors: at(2)?,
        rx_dropped: at(3)?,
        tx_bytes: at(8)?,
        tx_packets: at(9)?,
        tx_errors: at(10)?,
        tx_dropped: at(11)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_that_of_the_kernel() {
        let table = "Inter-|   Receive                                                |  Transmit\n \
            face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n    \
            lo:     100       1    0    0    0     0          0         0      100       1    0    0    0     0       0          0\n  \
            eth0:    1500      10    1    2    0     0          0         0      700       7    3    4    0     0       0          0\n";
        let expected = Interface {
            name: "eth0".into(),
            rx_bytes: 1500,
            rx_packets: 10,
            rx_errors: 1,
            rx_dropped: 2,
            tx_bytes: 700,
            tx_packets: 7,
            tx_errors: 3,
            tx_dropped: 4,
        };
        assert_eq!(parse(table), [expected]);
    }
}
