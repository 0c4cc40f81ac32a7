"""Podman: as root, and as an ordinary user. Also the base of Docker, whose commands are largely the same."""

import contextlib
import json
import os
import resource

from machine import USER
from manager import IMAGE, Manager, call, call_with_terminal

# Asks until it gets an answer.
CLIENT = ["sh", "-c", "until wget -q -O - http://127.0.0.1:8000/; do sleep 0.1; done; sleep 1000"]

CONFIGURATION = """
[containers]
default_ulimits = ["nofile={nofile}:{nofile}", "nproc=16384:16384"]
pids_limit = {pids}
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "{runtime}"
runtime_supports_json = ["crun", "runc", "tierce"]
runtime_supports_nocgroup = ["crun", "tierce"]
[engine.runtimes]
{runtime} = ["{path}"]
[network]
network_backend = "netavark"
network_config_dir = "{directory}/networks"
"""


class WithContainers(Manager):
    """The commands that Podman and Docker have in common."""

    # What `rm -f` needs not to wait for an end that comes by itself.
    at_once = ()
    # An open file that becomes number 3 of commands.
    handed_on = None

    flags = {option: "--" + option.replace("_", "-") for option in (
        "user workdir env memory memory_swap memory_reservation cpus cpu_shares cpuset_cpus pids_limit init read_only tmpfs volume "
        "mount cap_add cap_drop privileged device security_opt ulimit sysctl hostname userns pid ipc network uts publish "
        "restart stop_signal stop_timeout group_add entrypoint shm_size oom_score_adj cgroup_parent label add_host "
        "network_alias health_cmd health_interval health_retries cgroupns device_cgroup_rule cidfile "
        "interactive").split()}

    def command(self):
        """The words before the verb, and what is to be added to the environment."""
        raise NotImplementedError

    def cli(self, *words, **others):
        command, env = self.command()
        if self.handed_on is not None:
            others |= {"pass_fds": [3], "preexec_fn": lambda: os.dup2(self.handed_on, 3)}
        return call([*command, *words], env=env, **others)

    def cli_with_terminal(self, *words, typed=""):
        command, env = self.command()
        return call_with_terminal([*command, *words], typed, env=env)

    def run(self, args, image=IMAGE, stdin="", **options):
        flags = self.words(options | ({"interactive": True} if stdin else {}))
        return self.cli("run", "--rm", *flags, image, *args, stdin=stdin)

    def run_with_terminal(self, args, typed="", **options):
        return self.cli_with_terminal("run", "--rm", "-it", *self.words(options), IMAGE, *args, typed=typed)

    def start(self, args, image=IMAGE, **options):
        name = self.name_for()
        self.cli("run", "-d", "--name", name, *self.words(options), image, *args).ok()
        return name

    def exec(self, container, args, stdin="", **options):
        flags = self.words(options | ({"interactive": True} if stdin else {}))
        return self.cli("exec", *flags, container, *args, stdin=stdin)

    def exec_with_terminal(self, container, args, typed="", **options):
        return self.cli_with_terminal("exec", "-it", *self.words(options), container, *args, typed=typed)

    def exec_detached(self, container, args):
        return self.cli("exec", "-d", container, *args).ok()

    def inspect(self, container, *members):
        found = self.cli("inspect", container).ok().json()[0]
        for member in members:
            found = found[member]
        return found

    def pid(self, container):
        return self.inspect(container, "State", "Pid")

    def status(self, container):
        return self.inspect(container, "State", "Status")

    def logs(self, container):
        return self.cli("logs", container).ok()

    def wait(self, container):
        return int(self.cli("wait", container).ok().text)

    def kill(self, container, signal="KILL"):
        self.cli("kill", "--signal", signal, container).ok()

    def stop(self, container, seconds=5):
        self.cli("stop", "-t", seconds, container).ok()

    def restart(self, container):
        self.cli("restart", "-t", "0", container).ok()

    def pause(self, container):
        self.cli("pause", container).ok()

    def unpause(self, container):
        self.cli("unpause", container).ok()

    def processes(self, container):
        """The command lines, as the manager shows them."""
        return self.cli("top", container).ok().text

    def remove(self, container):
        self.cli("rm", "-f", *self.at_once, container).ok()

    def update(self, container, **options):
        self.cli("update", *self.words(options), container).ok()

    def used_memory(self, container):
        """Bytes, as `stats` says."""
        shown = self.cli("stats", "--no-stream", "--format", "{{.MemUsage}}", container).ok().text.split()[0]
        number = shown.rstrip("kKMGiB")
        return float(number) * {"B": 1, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9}[shown[len(number)]]

    def build(self, directory, tag):
        return self.cli("build", "-t", tag, directory)

    def commit(self, container, tag):
        self.cli("commit", container, tag).ok()

    def remove_image(self, tag):
        self.cli("rmi", tag).ok()

    def copy(self, source, target):
        self.cli("cp", source, target).ok()

    def make_network(self):
        name = self.name_for("net")
        self.cli("network", "create", name).ok()
        return name

    def remove_network(self, name):
        self.cli("network", "rm", name).ok()

    def sharing(self, container, kind):
        """The option to have a namespace of another container."""
        return {kind: f"container:{container}"}

    def oom_killed(self, container):
        return self.inspect(container, "State", "OOMKilled")

    def restart_count(self, container):
        return self.inspect(container, "RestartCount")

    def default_security(self):
        return {}

    def containers(self):
        return self.cli("ps", "-aq").ok().lines

    def clean(self):
        if containers := self.containers():
            self.cli("rm", "-f", *self.at_once, *containers).ok()


class Podman(WithContainers):
    name, title = "podman", "Podman"
    peer = "crun"
    flags = WithContainers.flags | {option: "--" + option.replace("_", "-") for option in (
        "preserve_fds uidmap gidmap pod hooks_dir cgroups personality").split()}
    at_once = ("-t", "0")
    keeps = ("cgroup [a-z_=]*/(libpod_parent|casks)(/conmon)?$", "mount /run/netns$", "iptables rule .*NETAVARK")
    impossible = {
        "out of memory is reported": "conmon 2.1.6 notes it in another directory than Podman looks in",
        "a working directory is made": "Podman itself refuses it",
    }

    peer_sometimes = {"ends and leaves nothing behind": "crun 1.8.1 at times leaves its groups in name=systemd"}

    def set_up(self):
        nofile = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        self.configuration = self.directory / "containers.conf"
        self.configuration.write_text(CONFIGURATION.format(
            runtime=self.runtime, path=self.path, directory=self.directory, nofile=nofile, pids=self.pids_limit()))
        self.cli("load", "-i", self.machine.directory / "image.tar").ok()

    def pids_limit(self):
        return 2048

    def command(self):
        at = self.directory
        places = ["--root", at / "root", "--runroot", at / "run", "--tmpdir", at / "tmp"]
        return ["podman", *places], {"CONTAINERS_CONF": str(at / "containers.conf"), "TMPDIR": str(at)}

    def runtime_in_info(self):
        info = self.cli("info", "--format", "json").ok().json()["host"]["ociRuntime"]
        return info["name"], info["version"]

    def health_options(self):
        # Its own timers would need systemd.
        return {"health_interval": "disable", "health_retries": "1"}

    def health(self, container):
        return {0: "healthy", 1: "unhealthy"}.get(self.cli("healthcheck", "run", container).status)

    def automatic_ids(self):
        return {"userns": "auto"}

    def other_ids(self):
        return {"uidmap": "0:100000:5000", "gidmap": "0:100000:5000"}

    def make_pod(self, **options):
        name = self.name_for("pod")
        self.cli("pod", "create", "--name", name, *self.words(options)).ok()
        return name

    @contextlib.contextmanager
    def files_to_hand_on(self, content):
        """The first file after the standard ones is a pipe with `content` while the context is open."""
        read, write = os.pipe()
        os.write(write, content)
        os.close(write)
        self.handed_on = read
        try:
            yield {"preserve_fds": "1"}
        finally:
            self.handed_on = None
            os.close(read)

    def hook_directory(self, path, script):
        program = path / "hook"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        hook = {"version": "1.0.0", "hook": {"path": str(program), "args": ["hook", "word"]},
                "when": {"always": True}, "stages": ["poststop"]}
        (path / "hook.json").write_text(json.dumps(hook))

    @contextlib.contextmanager
    def two_services(self, image, server):
        """`play kube`: a pod with two containers; gives what the one that asks has last got."""
        commands = {"server": server, "client": CLIENT}
        containers = [{"name": name, "image": image, "command": command} for name, command in commands.items()]
        file = self.directory / "pod.json"
        file.write_text(json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "cellar"},
                                    "spec": {"containers": containers}}))
        self.cli("play", "kube", file).ok()
        yield lambda: (self.logs("cellar-client").lines or [""])[-1]
        self.cli("play", "kube", "--down", file).ok()

    def clean(self):
        if pods := self.cli("pod", "ls", "-q").ok().lines:
            self.cli("pod", "rm", "-f", "-t", "0", *pods).ok()
        super().clean()

    def tear_down(self):
        self.cli("system", "reset", "--force")


class RootlessPodman(Podman):
    """The same as an ordinary user."""

    name, title = "rootless", "Podman, rootless"
    impossible = Podman.impossible | dict.fromkeys([
        "the memory limit is set", "the memory limit holds", "the memory reservation is set", "the cpu quota holds",
        "the cpu shares are set", "the cpus are restricted", "the number of processes is limited",
        "limits are changed while running", "the cpu quota is changed while running", "the cpus are changed while running",
        "the cgroup is below the parent that was named", "the container sees its own limits",
        "memory in use is shown", "pause and unpause", "a pod is paused",
        "a device without leave to write",
    ], "an ordinary user has no cgroups on cgroup v1") | dict.fromkeys([
        "a mount of the host comes into a slave", "a mount of a shared volume reaches the host",
    ], "a user's Podman has a mount namespace of its own") | {
        "the ipc of the host": "Podman wants the host's /dev/mqueue",
        "other ids on the host": "Podman cannot make such an image store",
    }

    def set_up(self):
        os.chown(self.directory, USER, USER)
        super().set_up()

    def pids_limit(self):
        return 0

    def command(self):
        command, env = super().command()
        as_user = ["setpriv", "--reuid", str(USER), "--regid", str(USER), "--clear-groups"]
        own = {"HOME": str(self.directory), "XDG_RUNTIME_DIR": f"/run/user/{USER}", "USER": "cooper"}
        return [*as_user, *command], env | own

    def own_id(self):
        return USER

    def keep_id(self):
        return {"userns": "keep-id"}
