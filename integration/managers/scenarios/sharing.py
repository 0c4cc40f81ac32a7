"""Volumes, namespaces, networks, pods: what containers have in common with each other and the host."""

import contextlib
import os
import socket
import subprocess
import urllib.request

from manager import IMAGE, check, equal, eventually

SHORT = {"a_volume_can_be_written", "a_port_is_published", "containers_find_each_other_by_name",
         "the_network_of_another_container"}
FOREVER = ["sleep", "1000"]
SERVER = ["sh", "-c", "mkdir /tmp/www; echo from the cellar >/tmp/www/index.html; exec httpd -f -p 8000 -h /tmp/www"]


def a_volume_can_be_written(m):
    with _directory(m) as path:
        m.sh("echo word >/data/file", volume=f"{path}:/data")
        equal((path / "file").read_text(), "word\n")


def a_read_only_volume(m):
    with _directory(m) as path:
        m.run(["touch", "/data/file"], volume=f"{path}:/data:ro").fails().says("read-only file system")
        check(not (path / "file").exists(), "written")


def a_volume_that_is_one_file(m):
    with _directory(m) as path:
        (path / "words").write_text("oak\n")
        equal(m.sh("cat /etc/words", volume=f"{path}/words:/etc/words:ro"), "oak")


def a_named_volume_keeps_what_is_written(m):
    name = m.name_for("volume")
    m.sh("echo word >/data/file", volume=f"{name}:/data")
    equal(m.sh("cat /data/file", volume=f"{name}:/data"), "word")
    m.cli("volume", "rm", name).ok()


def a_tmpfs(m):
    line = m.sh("grep ' /scratch ' /proc/mounts; touch /scratch/file", tmpfs="/scratch:size=8m,mode=1777")
    check("tmpfs" in line and "size=8192k" in line, line)


def the_size_of_dev_shm(m):
    check("size=16384k" in m.sh("grep ' /dev/shm ' /proc/mounts", shm_size="16m"), "another size")


def a_mount_of_the_host_comes_into_a_slave(m):
    _look_for_a_later_mount(m, "rslave").ok()


def a_mount_of_a_shared_volume_reaches_the_host(m):
    with _shared_directory(m) as path:
        container = m.start(["sh", "-c", "mkdir /data/sub; mount -t tmpfs none /data/sub; sleep 1000"],
                            volume=f"{path}:/data:rshared", privileged=True)
        eventually("the mount", lambda: os.path.ismount(path / "sub"))
        m.remove(container)


def a_private_volume_does_not_see_mounts(m):
    _look_for_a_later_mount(m, "rprivate").fails()


def _look_for_a_later_mount(m, propagation):
    """Of the host, below a volume of a container that runs."""
    with _shared_directory(m) as path:
        container = m.start(FOREVER, volume=f"{path}:/data:{propagation}")
        (path / "sub").mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "none", path / "sub"], check=True)
        seen = m.exec(container, ["grep", " /data/sub ", "/proc/mounts"])
        m.remove(container)
        return seen


def the_processes_of_another_container(m):
    first = m.start(["sleep", "4321"])
    check("sleep 4321" in m.run(["ps", "-o", "args"], **m.sharing(first, "pid")).ok().out, "not seen")


def the_network_of_another_container(m):
    first = m.start(SERVER)
    fetch = ["wget", "-q", "-O", "-", "http://127.0.0.1:8000/"]
    eventually("an answer", lambda: m.run(fetch, **m.sharing(first, "network")).text == "from the cellar")


def the_ipc_of_another_container(m):
    # Docker shares only what was made to be shared.
    first = m.start(["sh", "-c", "echo oak >/dev/shm/cask; sleep 1000"], ipc="shareable")
    eventually("the file", lambda: m.exec(first, ["cat", "/dev/shm/cask"]).text == "oak")
    equal(m.sh("cat /dev/shm/cask; readlink /proc/self/ns/ipc", **m.sharing(first, "ipc")),
          "oak\n" + m.exec(first, ["readlink", "/proc/self/ns/ipc"]).text)


def the_processes_of_the_host(m):
    equal(m.sh("readlink /proc/self/ns/pid", pid="host"), os.readlink("/proc/self/ns/pid"))


def the_network_of_the_host(m):
    equal(m.sh("readlink /proc/self/ns/net", network="host"), os.readlink("/proc/self/ns/net"))


def the_ipc_of_the_host(m):
    equal(m.sh("readlink /proc/self/ns/ipc", ipc="host"), os.readlink("/proc/self/ns/ipc"))


def the_host_name_of_the_host(m):
    equal(m.sh("readlink /proc/self/ns/uts", uts="host"), os.readlink("/proc/self/ns/uts"))


def without_a_network(m):
    equal(m.sh("ls /sys/class/net", network="none"), "lo")


def a_cgroup_namespace(m):
    equal(m.sh("cut -d : -f 3 /proc/self/cgroup | sort -u", cgroupns="private"), "/")


def a_port_is_published(m):
    m.start(SERVER, publish="127.0.0.1:8080:8000")
    eventually("an answer over loopback", lambda: _fetch("http://127.0.0.1:8080/") == "from the cellar\n")


def containers_find_each_other_by_name(m):
    network = m.make_network()
    server = m.start(SERVER, network=network)
    client = m.start(FOREVER, network=network)
    # A static busybox has no resolver but this one.
    address = f"nslookup {server} | awk '/^Address/ {{ a = $NF }} END {{ print a }}'"
    fetch = ["sh", "-c", f"wget -q -O - http://$({address}):8000/"]
    eventually("an answer", lambda: m.exec(client, fetch).text == "from the cellar")
    m.clean()
    m.remove_network(network)


def a_line_of_etc_hosts(m):
    check("10.1.2.3" in m.sh("grep cellar /etc/hosts", add_host="cellar:10.1.2.3"), "no such line")


def other_ids_on_the_host(m):
    container = m.start(FOREVER, **m.other_ids())
    check(os.stat(f"/proc/{m.pid(container)}").st_uid != 0, "root on the host")
    m.exec(container, ["id", "-u"]).ok().prints("0")
    m.exec(container, ["sh", "-c", "touch /tmp/file && chown 1000 /tmp/file && stat -c %u /tmp/file"]).ok().prints("1000")


def ids_that_are_chosen_automatically(m):
    container = m.start(FOREVER, **m.automatic_ids())
    check(os.stat(f"/proc/{m.pid(container)}").st_uid != 0, "root on the host")
    m.exec(container, ["id", "-u"]).ok().prints("0")


def the_own_id_is_kept(m):
    equal(m.sh("id -u", **m.keep_id()), str(m.own_id()))


def the_own_id_is_kept_in_the_network_of_another_container(m):
    keep = m.keep_id()
    first = m.start(SERVER)
    fetch = ["sh", "-c", "id -u; wget -q -O - http://127.0.0.1:8000/"]
    wanted = f"{m.own_id()}\nfrom the cellar"
    eventually("an answer", lambda: m.run(fetch, **keep, **m.sharing(first, "network")).text == wanted, 10)


def the_own_id_is_kept_in_a_pod(m):
    pod = m.make_pod(**m.keep_id())
    m.start(SERVER, pod=pod)
    fetch = ["sh", "-c", "id -u; wget -q -O - http://127.0.0.1:8000/"]
    eventually("an answer", lambda: m.run(fetch, pod=pod).text == f"{m.own_id()}\nfrom the cellar", 10)


def a_pod_shares_its_network(m):
    pod = m.make_pod()
    m.start(SERVER, pod=pod)
    fetch = ["wget", "-q", "-O", "-", "http://127.0.0.1:8000/"]
    eventually("an answer", lambda: m.run(fetch, pod=pod).text == "from the cellar")
    m.cli("pod", "stop", "-t", "0", pod).ok()
    m.cli("pod", "rm", "-f", "-t", "0", pod).ok()


def a_pod_is_paused(m):
    pod = m.make_pod()
    container = m.start(FOREVER, pod=pod)
    m.cli("pod", "pause", pod).ok()
    equal(m.status(container), "paused")
    m.cli("pod", "unpause", pod).ok()
    equal(m.status(container), "running")


def a_pod_publishes_a_port(m):
    pod = m.make_pod(publish="127.0.0.1:8081:8000")
    m.start(SERVER, pod=pod)
    eventually("an answer over loopback", lambda: _fetch("http://127.0.0.1:8081/") == "from the cellar\n")


def two_services_talk_to_each_other(m):
    with m.two_services(IMAGE, SERVER) as client_says:
        eventually("an answer", lambda: client_says() == "from the cellar")


def open_files_are_handed_on(m):
    with m.files_to_hand_on(b"oak\n") as flags:
        m.run(["sh", "-c", "cat <&3"], **flags).ok().prints("oak")


def hooks_are_run(m):
    with _directory(m) as path:
        m.hook_directory(path, f"echo $0 $1 >{path}/ran")
        m.run(["true"], hooks_dir=str(path)).ok()
        eventually("the hook's file", (path / "ran").exists)


@contextlib.contextmanager
def _directory(m):
    path = m.directory / m.name_for("data")
    path.mkdir(mode=0o777)
    path.chmod(0o777)
    yield path


@contextlib.contextmanager
def _shared_directory(m):
    with _directory(m) as path:
        subprocess.run(["mount", "-t", "tmpfs", "none", path], check=True)
        subprocess.run(["mount", "--make-shared", path], check=True)
        try:
            yield path
        finally:
            subprocess.run(["umount", "--recursive", path], check=True)


def _fetch(url):
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.read().decode()
    except (OSError, socket.timeout):
        return ""
