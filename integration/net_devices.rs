//! `linux.netDevices`: devices of the runtime's network namespace that become the container's. All of it
//! in network namespaces of the suite; the network of the machine is not touched.

use crate::harness::network::Network;
use crate::harness::prelude::*;

cases!("net_devices", root: [
    a_device_is_moved_into_the_container,
    a_device_is_renamed,
    a_device_is_up_whether_it_was_or_not,
    a_device_keeps_its_lasting_addresses,
    a_device_loses_addresses_that_do_not_last,
    a_label_of_an_address_follows_the_name,
    a_device_keeps_its_hardware_address_and_its_mtu,
    a_container_talks_over_its_device,
    a_template_gives_the_first_free_name,
    several_devices_are_moved,
    devices_may_swap_their_names,
    a_device_is_moved_into_a_joined_network_namespace,
    a_device_is_moved_into_a_new_user_namespace,
    a_sysctl_of_a_moved_device_is_set,
    hooks_of_the_runtime_find_the_device_moved,
    exec_finds_the_device,
    a_virtual_device_ends_with_the_container,
    a_device_that_is_not_there_is_an_error,
    a_name_that_is_taken_is_an_error,
    devices_come_back_if_the_container_cannot_be_made,
    devices_come_back_if_another_cannot_be_moved,
    a_device_without_a_network_namespace_is_an_error,
    a_device_for_the_network_namespace_of_the_runtime_is_an_error,
    a_name_that_is_none_is_an_error,
    the_loopback_device_stays,
    an_ordinary_user_may_not_move_devices,
]);

/// With this device of the runtime's network namespace, called so inside.
fn with(t: &Case, device: &str, name: Option<&str>) -> Bundle {
    let value = name.map_or(json!({}), |name| json!({ "name": name }));
    t.bundle().set("/linux/netDevices", json!({ device: value }))
}

fn a_device_is_moved_into_the_container(t: &Case) {
    let network = Network::new(t);
    network.pair("it0", "peer0");
    let container = t.launch(&with(t, "it0", None).sh("ls /sys/class/net; sleep 300"));
    container.wait_for("it0\nlo\n");
    assert_eq!(network.sh("cd /proc/net/dev_snmp6 && ls").trim(), "lo\npeer0");
}

fn a_device_is_renamed(t: &Case) {
    let network = Network::new(t);
    network.pair("it0", "peer0");
    t.run(&with(t, "it0", Some("eth7")).args(&["/bin/ls", "/sys/class/net"])).ok().prints("eth7\nlo");
}

fn a_device_is_up_whether_it_was_or_not(t: &Case) {
    let network = Network::new(t);
    for state in ["down", "up"] {
        network.pair("it0", "peer0");
        network.sh(&format!("ip link set it0 {state}"));
        let script = "ip -o link show it0 | grep -o ',UP'; ip -o link show it0 | grep -o LOWER_UP";
        t.run(&with(t, "it0", None).sh(script)).ok().prints(",UP\nLOWER_UP");
        eventually("the pair is gone", || !network.sh("ip -o link").contains("peer0"));
    }
}

/// The addresses of a device, family and prefix, that `ip` shows.
fn addresses(text: &str) -> Vec<String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let pairs = words.windows(2).filter(|pair| matches!(pair[0], "inet" | "inet6"));
    let mut all: Vec<String> = pairs.map(|pair| pair[1].to_owned()).collect();
    all.retain(|address| !address.starts_with("fe80:"));
    all.sort();
    all
}

const LASTING: [&str; 5] =
    ["10.1.2.3/24", "10.1.2.4/24", "192.0.2.1/32", "2001:db8::5/64", "2001:db8:1::5/48"];

fn give_lasting(network: &Network) {
    for address in LASTING {
        let nodad = if address.contains(':') { "nodad" } else { "" };
        network.sh(&format!("ip addr add {address} dev it0 {nodad}"));
    }
}

fn a_device_keeps_its_lasting_addresses(t: &Case) {
    let network = Network::new(t);
    for (state, name) in [("up", None), ("down", Some("eth7"))] {
        network.pair("it0", "peer0");
        network.sh(&format!("ip link set it0 {state}"));
        give_lasting(&network);
        let script = format!("ip addr show dev {}; ip route", name.unwrap_or("it0"));
        let output = t.run(&with(t, "it0", name).sh(&script));
        let mut expected = LASTING.map(String::from).to_vec();
        expected.sort();
        assert_eq!(addresses(&output.ok().stdout), expected);
        assert!(output.stdout.contains("10.1.2.0/24 dev"), "no route: {:?}", output.stdout);
        eventually("the pair is gone", || !network.sh("ip -o link").contains("peer0"));
    }
}

fn a_device_loses_addresses_that_do_not_last(t: &Case) {
    let network = Network::new(t);
    network.pair("it0", "peer0");
    network.sh(
        "ip addr add 10.1.2.3/24 dev it0; ip addr add 10.5.5.5/24 dev it0 valid_lft 500 preferred_lft 400; \
         ip addr add 10.6.6.6/24 dev it0 scope link; ip addr add 2001:db8::9/64 dev it0 valid_lft 500 preferred_lft 400",
    );
    let output = t.run(&with(t, "it0", None).sh("ip addr show dev it0"));
    assert_eq!(addresses(&output.ok().stdout), ["10.1.2.3/24"]);
}

fn a_label_of_an_address_follows_the_name(t: &Case) {
    let network = Network::new(t);
    network.pair("it0", "peer0");
    network.sh("ip addr add 10.1.2.3/24 dev it0; ip addr add 10.7.7.7/24 label it0:web dev it0");
    let output = t.run(&with(t, "it0", Some("eth7")).sh("ip -o addr show dev eth7"));
    assert!(output.ok().stdout.contains("eth7:web"), "{:?}", output.stdout);
}

fn a_device_keeps_its_hardware_address_and_its_mtu(t: &Case) {
    let network = Network::new(t);
    network.pair("it0", "peer0");
    network.sh("ip link set it0 address 02:11:22:33:44:55 mtu 1400");
    let script = "cat /sys/class/net/eth7/address /sys/class/net/eth7/mtu";
    t.run(&with(t, "it0", Some("eth7")).sh(script)).ok().prints("02:11:22:33:44:55\n1400");
}

fn a_container_talks_over_its_device(t: &Case) {
    let network = Network::new(t);
    network.pair("it0", "peer0");
    network.sh("ip addr add 10.1.2.3/24 dev it0; ip addr add 10.1.2.1/24 dev peer0");
    let bundle = with(t, "it0", None).capabilities(&["CAP_NET_RAW"]);
    t.run(&bundle.sh("ping -c 1 -W 10 10.1.2.1 >/dev/null && echo answered")).ok().prints("answered");
}

fn a_template_gives_the_first_free_name(t: &Case) {
    let network = Network::new(t);
    for name in ["it0", "it1", "it2"] {
        network.pair(name, &name.replace("it", "peer"));
    }
    let devices = json!({"it0": {"name": "net%d"}, "it1": {"name": "net%d"}, "it2": {"name": "a%db"}});
    let bundle = t.bundle().set("/linux/netDevices", devices);
    t.run(&bundle.args(&["/bin/ls", "/sys/class/net"])).ok().prints("a0b\nlo\nnet0\nnet1");
}

fn several_devices_are_moved(t: &Case) {
    let network = Network::new(t);
    network.pair("it0", "it1");
    let bundle = t.bundle().set("/linux/netDevices", json!({"it0": {}, "it1": {"name": "eth1"}}));
    t.run(&bundle.args(&["/bin/ls", "/sys/class/net"])).ok().prints("eth1\nit0\nlo");
}

fn devices_may_swap_their_names(t: &Case) {
    let network = Network::new(t);
    network.pair("it0", "it1");
    network.sh("ip link set it0 address 02:00:00:00:00:00; ip link set it1 address 02:00:00:00:00:01");
    let swapped = json!({"it0": {"name": "it1"}, "it1": {"name": "it0"}});
    let bundle = t.bundle().set("/linux/netDevices", swapped);
    let script = "cat /sys/class/net/it0/address /sys/class/net/it1/address";
    t.run(&bundle.sh(script)).ok().prints("02:00:00:00:00:01\n02:00:00:00:00:00");
}

fn a_device_is_moved_into_a_joined_network_namespace(t: &Case) {
    let network = Network::new(t);
    network.pair("it0", "peer0");
    network.sh("ip addr add 10.1.2.3/24 dev it0");
    let lender = t.launch(&t.bundle().args(&["/bin/sleep", "300"]));
    let path = lender.namespace_file("net");
    let joiner = with(t, "it0", Some("eth7")).namespace("network", Some(&path));
    t.run(&joiner.args(&["/bin/ls", "/sys/class/net"])).ok().prints("eth7\nlo");
    // It belongs to the namespace, not to the container that has brought it.
    let output = t.runtime(&["exec", &lender.id, "ip", "addr", "show", "dev", "eth7"]).run();
    assert_eq!(addresses(&output.ok().stdout), ["10.1.2.3/24"]);
}

fn a_device_is_moved_into_a_new_user_namespace(t: &Case) {
    let network = Network::new(t);
    network.pair("it0", "peer0");
    network.sh("ip addr add 10.1.2.3/24 dev it0");
    let bundle = with(t, "it0", Some("eth7")).user_namespace(100_000);
    let output = t.run(&bundle.sh("ip addr show dev eth7"));
    assert_eq!(addresses(&output.ok().stdout), ["10.1.2.3/24"]);
}

fn a_sysctl_of_a_moved_device_is_set(t: &Case) {
    let network = Network::new(t);
    network.pair("it0", "peer0");
    let key = "net.ipv4.conf.eth7.forwarding";
    let bundle = with(t, "it0", Some("eth7")).set("/linux/sysctl", json!({ key: "1" }));
    t.run(&bundle.args(&["/bin/cat", "/proc/sys/net/ipv4/conf/eth7/forwarding"])).ok().prints("1");
}

fn hooks_of_the_runtime_find_the_device_moved(t: &Case) {
    let network = Network::new(t);
    network.pair("it0", "peer0");
    let told = t.path("told");
    let script = format!(
        "pid=$(echo \"$state\" | grep -o '\"pid\": *[0-9]*' | grep -o '[0-9]*$'); \
         grep -o 'eth7\\|it0' /proc/$pid/net/dev >{}",
        told.display()
    );
    t.run(&with(t, "it0", Some("eth7")).hook("createRuntime", &script)).ok();
    assert_eq!(fs::read_to_string(told).expect("what the hook wrote"), "eth7\n");
}

fn exec_finds_the_device(t: &Case) {
    let network = Network::new(t);
    network.pair("it0", "peer0");
    let container = t.launch(&with(t, "it0", None).args(&["/bin/sleep", "300"]));
    t.runtime(&["exec", &container.id, "ls", "/sys/class/net"]).run().ok().prints("it0\nlo");
}

fn a_virtual_device_ends_with_the_container(t: &Case) {
    let network = Network::new(t);
    network.pair("it0", "peer0");
    let container = t.launch(&with(t, "it0", None).args(&["/bin/sleep", "300"]));
    assert!(network.sh("ip -o link").contains("peer0"));
    container.delete_by_force().ok();
    eventually("the other end is gone", || !network.sh("ip -o link").contains("peer0"));
}

fn a_device_that_is_not_there_is_an_error(t: &Case) {
    let _network = Network::new(t);
    t.run(&with(t, "nowhere", None)).fails().says("nowhere");
    t.assert_no_side_effects();
}

/// What there is of it0, to be compared.
fn look(network: &Network) -> (String, Vec<String>) {
    let link = network.sh("ip -o link show it0 | grep -o '[<,]UP[,>]\\|mtu [0-9]*'");
    (link, addresses(&network.sh("ip addr show dev it0")))
}

fn ready(t: &Case) -> Network<'_> {
    let network = Network::new(t);
    network.pair("it0", "peer0");
    network.sh("ip link set it0 up mtu 1400");
    give_lasting(&network);
    network
}

fn a_name_that_is_taken_is_an_error(t: &Case) {
    let network = ready(t);
    let before = look(&network);
    let lender = t.launch(&t.bundle().args(&["/bin/sleep", "300"]));
    let path = lender.namespace_file("net");
    network.pair("it1", "peer1");
    let joiner = |device: &str| with(t, device, Some("eth7")).namespace("network", Some(&path));
    t.run(&joiner("it1")).ok();
    t.run(&joiner("it0")).fails().says("eth7");
    assert_eq!(look(&network), before);
}

fn devices_come_back_if_the_container_cannot_be_made(t: &Case) {
    let network = ready(t);
    let before = look(&network);
    let bundle = with(t, "it0", Some("eth7"));
    t.run(&bundle.clone().args(&["/nowhere"])).fails();
    assert_eq!(look(&network), before);
    t.run(&bundle.hook("createRuntime", "exit 1")).fails();
    assert_eq!(look(&network), before);
    t.assert_no_side_effects();
}

fn devices_come_back_if_another_cannot_be_moved(t: &Case) {
    let network = ready(t);
    let before = look(&network);
    let bundle = t.bundle().set("/linux/netDevices", json!({"it0": {"name": "eth7"}, "nowhere": {}}));
    t.run(&bundle).fails().says("nowhere");
    assert_eq!(look(&network), before);
    t.assert_no_side_effects();
}

fn a_device_without_a_network_namespace_is_an_error(t: &Case) {
    let network = ready(t);
    t.run(&with(t, "it0", None).without_namespace("network")).fails().says("network");
    assert!(network.sh("ip -o link").contains("it0"));
}

fn a_device_for_the_network_namespace_of_the_runtime_is_an_error(t: &Case) {
    let network = ready(t);
    let before = look(&network);
    t.run(&with(t, "it0", Some("eth7")).namespace("network", Some(&network.file()))).fails();
    assert_eq!(look(&network), before);
    t.assert_no_side_effects();
}

fn a_name_that_is_none_is_an_error(t: &Case) {
    let network = ready(t);
    for name in ["a/b", "..", "sixteen-bytes-it", "a b", "a:b", "%d%d", "%s", "a%"] {
        t.run(&with(t, "it0", Some(name))).fails();
    }
    assert!(network.sh("ip -o link").contains("it0"));
    t.assert_no_side_effects();
}

fn the_loopback_device_stays(t: &Case) {
    let _network = Network::new(t);
    t.run(&with(t, "lo", Some("other"))).fails().says("lo");
}

fn an_ordinary_user_may_not_move_devices(t: &Case) {
    let network = ready(t);
    let before = look(&network);
    t.become_ordinary_user();
    let (uid, gid) = t.caller();
    let user = format!("exec /usr/bin/setpriv --reuid {uid} --regid {gid} --clear-groups \"$@\"");
    let line = t.command_line("run", &with(t, "it0", None), &[], &t.id());
    t.runtime(&line).through_shell(&user).run().fails().says("netDevices");
    assert_eq!(look(&network), before);
}
