"""A private machine to run managers in: mounts, network, processes and cgroups of its own.

Whatever a manager does stays in there and ends with it. The outer part makes the namespaces and removes the cgroups
afterwards; the inner part mounts what a manager expects to find.
"""

import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

# An ordinary user, and the ids below it; Podman takes those of `containers` for root's --userns=auto.
USER = 12345
ACCOUNTS = {
    "/etc/passwd": f"cooper:x:{USER}:{USER}::/tmp:/bin/sh\n",
    "/etc/group": f"cooper:x:{USER}:\n",
    "/etc/subuid": "cooper:2000000:65536\ncontainers:3000000:1000000\n",
    "/etc/subgid": "cooper:2000000:65536\ncontainers:3000000:1000000\n",
}
CGROUPS = pathlib.Path("/sys/fs/cgroup")
NAMESPACES = ["--mount", "--net", "--pid", "--ipc", "--uts", "--cgroup", "--fork", "--kill-child", "--mount-proc"]
# What a manager keeps beside the directories that it is told.
PRIVATE_DIRECTORIES = (
    "/run", "/etc/cni", "/var/lib/cni", "/var/lib/containerd", "/var/lib/containers", "/var/lib/docker", "/var/tmp",
)


def run_inside(program, arguments, files):
    """Runs `program` anew in a machine of its own; gives its exit status. `files` are copied into it before."""
    with tempfile.TemporaryDirectory(prefix="tierce-") as directory:
        os.chmod(directory, 0o755)
        for name, source in files.items():
            subprocess.run(["install", "-m", "755", source, f"{directory}/{name}"], check=True)
        groups = [make_group(base) for base in hierarchies()]
        # Whoever ends this one ends all, and nothing is left.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

        def enter():
            for group in groups:
                (group / "cgroup.procs").write_text("0")

        inner = [sys.executable, program, "--inside", directory, *arguments]
        command = ["unshare", *NAMESPACES, "--propagation", "private", *inner]
        try:
            # Podman hands a proxy of the caller on to containers.
            env = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
            return subprocess.run(command, preexec_fn=enter, env=env).returncode
        finally:
            for group in groups:
                remove_group(group)


def hierarchies():
    """Where cgroup hierarchies are mounted; cgroup v2 only if it is alone, as crun refuses it beside v1."""
    fields = [line.split() for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines()]
    v1, v2 = ([pathlib.Path(f[4]) for f in fields if f[f.index("-") + 1] == kind] for kind in ("cgroup", "cgroup2"))
    return v1 or v2


def make_group(base):
    group = base / f"tierce-managers-{os.getpid()}"
    group.mkdir()
    for name in ("cpuset.cpus", "cpuset.mems"):
        if (group / "tasks").exists() and (group / name).exists():
            (group / name).write_text((base / name).read_text())
    if (group / "cgroup.controllers").exists():
        delegate(base)
    return group


def delegate(group):
    for controller in (group / "cgroup.controllers").read_text().split():
        (group / "cgroup.subtree_control").write_text(f"+{controller}")


def remove_group(group):
    """Its last processes may still be ending."""
    for _ in range(100):
        try:
            for directory, _, _ in os.walk(group, topdown=False):
                os.rmdir(directory)
            return
        except OSError:
            time.sleep(0.1)
    print(f"{group} is still in use", file=sys.stderr)


class Machine:
    """The inner part; the process that made it is the init of its pid namespace."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        names = [line.split(":")[1] for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines()]
        self.v1 = [controllers for controllers in names if controllers]
        mount("tmpfs", directory, "tmpfs", "mode=755", keep=True)
        for path in filter(os.path.isdir, PRIVATE_DIRECTORIES):
            mount("tmpfs", path, "tmpfs", f"mode={os.stat(path).st_mode & 0o7777:o}")
        for path in ("/run/lock", "/run/user"):
            os.mkdir(path)
        mount("sysfs", "/sys", "sysfs")
        self.mount_cgroups()
        # conmon leaves a file where it is when a container is out of memory.
        os.chdir(self.directory)
        os.environ["HOME"] = directory
        self.make_devices()
        self.make_accounts()
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        pathlib.Path("/proc/sys/net/ipv4/ip_forward").write_text("1")

    def mount_cgroups(self):
        if not self.v1:
            mount("cgroup2", CGROUPS, "cgroup2")
            # Nobody may be in a group that gives controllers to others.
            (CGROUPS / "machine").mkdir()
            (CGROUPS / "machine/cgroup.procs").write_text("0")
            delegate(CGROUPS)
            return
        mount("tmpfs", CGROUPS, "tmpfs", "mode=755")
        for names in self.v1:
            point = CGROUPS / names.removeprefix("name=")
            point.mkdir()
            mount("cgroup", point, "cgroup", f"none,{names}" if names.startswith("name=") else names)

    def make_devices(self):
        """What udev lets every user open."""
        for path, major, minor in (("/dev/net/tun", 10, 200), ("/dev/fuse", 10, 229)):
            if os.path.exists(path):
                node = self.directory / path.replace("/", "_")
                os.mknod(node, 0o020666, os.makedev(major, minor))
                os.chmod(node, 0o666)
                subprocess.run(["mount", "--bind", node, path], check=True)

    def make_accounts(self):
        for path, lines in ACCOUNTS.items():
            copy = self.directory / path.replace("/", "_")
            copy.write_text((pathlib.Path(path).read_text() if os.path.exists(path) else "") + lines)
            subprocess.run(["mount", "--bind", copy, path], check=True)
        runtime = pathlib.Path(f"/run/user/{USER}")
        runtime.mkdir(mode=0o700)
        os.chown(runtime, USER, USER)

    def cgroup_of(self, pid, controller):
        """The directory of a process's cgroup, in the hierarchy of a controller."""
        for line in pathlib.Path(f"/proc/{pid}/cgroup").read_text().splitlines():
            _, names, path = line.split(":", 2)
            if not names and not self.v1:
                return CGROUPS / path.lstrip("/")
            if controller in names.split(","):
                return CGROUPS / names / path.lstrip("/")
        raise LookupError(f"no cgroup controller {controller}")

    def limit(self, pid, name):
        """A limit of a process's cgroup, by its v1 and v2 names."""
        controller, v1, v2 = LIMITS[name]
        directory = self.cgroup_of(pid, controller)
        return (directory / (v1 if self.v1 else v2)).read_text().strip()

    def left(self):
        """What is there now of the kinds of things that managers make: to be compared with what was before."""
        processes = {}
        for entry in pathlib.Path("/proc").iterdir():
            if entry.name.isdigit() and (words := command_line(entry)):
                processes[entry.name] = words
        groups = {os.path.relpath(d, CGROUPS) for d, _, _ in os.walk(CGROUPS)}
        mounts = {line.split()[4] for line in open("/proc/self/mountinfo")}
        rules = subprocess.run(["iptables-save"], capture_output=True, text=True).stdout.splitlines()
        return {
            "process": {f"{pid} {words}" for pid, words in processes.items()},
            "cgroup": groups,
            "mount": mounts,
            "network interface": set(os.listdir("/sys/class/net")),
            "network namespace": set(os.listdir("/run/netns")) if os.path.isdir("/run/netns") else set(),
            "iptables rule": {rule for rule in rules if rule.startswith("-A")},
        }


LIMITS = {
    "memory": ("memory", "memory.limit_in_bytes", "memory.max"),
    "reservation": ("memory", "memory.soft_limit_in_bytes", "memory.low"),
    "quota": ("cpu", "cpu.cfs_quota_us", "cpu.max"),
    "shares": ("cpu", "cpu.shares", "cpu.weight"),
    "throttled": ("cpu", "cpu.stat", "cpu.stat"),
    "cpus": ("cpuset", "cpuset.cpus", "cpuset.cpus"),
    "pids": ("pids", "pids.max", "pids.max"),
    "frozen": ("freezer", "freezer.state", "cgroup.events"),
}


def mount(source, target, kind, options="", keep=False):
    """With `keep` the files that are in `target` are in the new filesystem, too."""
    files = {path.name: path.read_bytes() for path in pathlib.Path(target).iterdir()} if keep else {}
    subprocess.run(["mount", "-t", kind, *(["-o", options] if options else []), source, str(target)], check=True)
    for name, content in files.items():
        (pathlib.Path(target) / name).write_bytes(content)
        os.chmod(pathlib.Path(target) / name, 0o755)


def command_line(entry):
    try:
        words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        return words or f"[{(entry / 'comm').read_text().strip()}]"
    except (FileNotFoundError, ProcessLookupError):
        return ""


def become_init(body):
    """The first process of a pid namespace only reaps; `body` runs in a child, whose exit status it takes over."""
    child = os.fork()
    if child == 0:
        sys.exit(body())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        pid, status = os.wait()
        if pid == child:
            sys.exit(os.waitstatus_to_exitcode(status))
