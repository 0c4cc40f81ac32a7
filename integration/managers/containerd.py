"""containerd with `ctr` and the shim io.containerd.runc.v2.

It has no networks, builds and restarts of its own: those are of its callers, as Docker.
"""

import re
import subprocess

from manager import IMAGE, Manager, NotOffered, call, call_with_terminal, eventually

CONFIGURATION = """
version = 2
root = "{at}/root"
state = "{at}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "{at}/containerd.sock"
[plugins."io.containerd.internal.v1.opt"]
path = "{at}/opt"
"""


def bind(volume):
    source, target, *options = volume.split(":")
    if not source.startswith("/"):
        raise NotOffered("named volumes")
    words = "rbind:" + (options[0] if options else "rw").replace(",", ":")
    shared = ["--rootfs-propagation", "shared"] if "rshared" in options else []
    return [*shared, "--mount", f"type=bind,src={source},dst={target},options={words}"]


def tmpfs(volume):
    target, options = volume.split(":")
    return ["--mount", f"type=tmpfs,src=tmpfs,dst={target},options={options.replace(',', ':')}"]


def security(option):
    known = {"no-new-privileges": [], "seccomp=unconfined": [], "seccomp=default": ["--seccomp"]}
    return known[option] if option in known else ["--seccomp", "--seccomp-profile", option.removeprefix("seccomp=")]


def capability(flag):
    def words(name):
        if name == "ALL":
            raise NotOffered("all capabilities")
        return [flag, f"CAP_{name}"]

    return words


def device(path):
    if ":" in path:
        raise NotOffered("another name of a device")
    return ["--device", path]


def network(kind):
    return {"host": ["--net-host"], "none": []}[kind]


class Containerd(Manager):
    name, title = "containerd", "containerd"
    peer = "runc"
    flags = {
        "workdir": "--cwd", "env": "--env", "privileged": "--privileged", "read_only": "--read-only",
        "cpus": "--cpus", "cpu_shares": "--cpu-shares", "device": device, "with_ns": "--with-ns",
        "uidmap": "--uidmap", "gidmap": "--gidmap", "no_pivot": "--no-pivot", "cgroup": "--cgroup",
        "memory": lambda size: ["--memory-limit", str(int(size.removesuffix("m")) << 20)],
        "cap_add": capability("--cap-add"), "cap_drop": capability("--cap-drop"),
        "volume": bind, "tmpfs": tmpfs, "security_opt": security, "network": network,
    }

    keeps = ("cgroup [a-z_=]*/tests$",)
    impossible = {
        "run reads standard input": "ctr 1.6.20 does not hand on where it ends",
        "logs of both streams": "containerd has both in one log",
        **dict.fromkeys([
            "exit status of a program that is not there", "exit status of a program that cannot be executed",
            "exit status of exec of a program that is not there",
            "exit status of exec of a program that cannot be executed",
        ], "ctr ends with 1 whatever the shim says"),
    }

    def set_up(self):
        at = self.directory
        (at / "config.toml").write_text(CONFIGURATION.format(at=at))
        with open(at / "log", "w") as log:
            self.daemon = subprocess.Popen(["containerd", "-c", at / "config.toml"], stdout=log, stderr=log)
        eventually("an answer of containerd", lambda: self.ctr("version").status == 0)
        self.ctr("images", "import", self.machine.directory / "image.tar").ok()

    def tear_down(self):
        self.daemon.terminate()
        self.daemon.wait(20)

    def command(self):
        return ["ctr", "--address", self.directory / "containerd.sock", "--namespace", "tests"]

    def ctr(self, *words, **others):
        return call([*self.command(), *words], **others)

    def run_words(self, options):
        return ["run", "--runc-binary", self.path, "--runtime", "io.containerd.runc.v2", *self.words(options)]

    def run(self, args, stdin="", **options):
        return self.ctr(*self.run_words(options), "--rm", IMAGE, self.name_for(), *args, stdin=stdin)

    def run_with_terminal(self, args, typed="", **options):
        words = [*self.run_words(options), "--rm", "--tty", IMAGE, self.name_for(), *args]
        return call_with_terminal([*self.command(), *words], typed)

    def start(self, args, **options):
        name = self.name_for()
        log = f"file://{self.directory}/{name}.log"
        self.ctr(*self.run_words(options), "--detach", "--log-uri", log, IMAGE, name, *args).ok()
        return name

    def exec_words(self, container, args, options, *flags):
        known = {"user": "--user", "workdir": "--cwd"}
        if unknown := [option for option in options if option not in known]:
            raise NotOffered(f"exec with {unknown[0]}")
        words = [word for option, value in options.items() for word in (known[option], value)]
        return ["task", "exec", *flags, *words, "--exec-id", self.name_for("e"), container, *args]

    def exec(self, container, args, stdin="", **options):
        return self.ctr(*self.exec_words(container, args, options), stdin=stdin)

    def exec_with_terminal(self, container, args, typed="", **options):
        return call_with_terminal([*self.command(), *self.exec_words(container, args, options, "--tty")], typed)

    def exec_detached(self, container, args):
        self.ctr(*self.exec_words(container, args, {}, "--detach")).ok()

    def tasks(self):
        """Of each container that has one: pid and status."""
        lines = [line.split() for line in self.ctr("task", "ls").ok().lines[1:]]
        return {name: (int(pid), status.lower()) for name, pid, status in lines}

    def pid(self, container):
        return self.tasks()[container][0]

    def status(self, container):
        return self.tasks()[container][1]

    def wait(self, container):
        """The exit status is told when the task is deleted."""
        eventually("the end", lambda: self.status(container) == "stopped")
        told = self.ctr("task", "delete", container).ok().err
        found = re.search(r"exit code (\d+)", told)
        return int(found[1]) if found else 0

    def logs(self, container):
        return call(["cat", self.directory / f"{container}.log"])

    def kill(self, container, signal="KILL"):
        self.ctr("task", "kill", "--signal", signal, container).ok()

    def pause(self, container):
        self.ctr("task", "pause", container).ok()

    def unpause(self, container):
        self.ctr("task", "resume", container).ok()

    def processes(self, container):
        pids = [line.split()[0] for line in self.ctr("task", "ps", container).ok().lines[1:]]
        return call(["ps", "-o", "args", "-p", ",".join(pids)]).ok().text

    def used_memory(self, container):
        lines = [line.split() for line in self.ctr("task", "metrics", container).ok().lines]
        return float(next(line[1] for line in lines if line and line[0] in ("memory.usage_in_bytes", "memory.usage")))

    def remove(self, container):
        if container in self.tasks():
            self.ctr("task", "delete", "--force", container)
        self.ctr("container", "delete", container).ok()

    def sharing(self, container, kind):
        file = {"network": "net"}.get(kind, kind)
        return {"with_ns": f"{kind}:/proc/{self.pid(container)}/ns/{file}"}

    def other_ids(self):
        return {"uidmap": "0:100000:5000", "gidmap": "0:100000:5000"}

    def default_security(self):
        return {"security_opt": "seccomp=default"}

    def containers(self):
        return self.ctr("container", "ls", "-q").ok().lines

    def clean(self):
        for container in self.containers():
            self.remove(container)
