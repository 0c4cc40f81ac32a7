"""Docker: dockerd with the runtime as its default, which builds use too."""

import contextlib
import json
import resource
import subprocess

from manager import call, eventually
from podman import WithContainers

# Asks until it gets an answer; docker-compose takes two dollars for one.
ADDRESS = "nslookup server | awk '/^Address/ { a = $$NF } END { print a }'"
CLIENT = f"until wget -q -O - http://$$({ADDRESS}):8000/; do sleep 0.1; done; sleep 1000"


class Docker(WithContainers):
    name, title = "docker", "Docker"
    peer = "runc"
    keeps = (
        "cgroup [a-z_=]*/(docker|casks)$", "mount .*/exec/netns/default$", "network interface docker0$",
        "iptables rule -A .*(DOCKER|docker0)",
    )
    impossible = {
        "exit status of exec of a program that is not there": "Docker 20.10 has one for both",
    }
    peer_sometimes = dict.fromkeys([
        "exec privileged", "privileged has all capabilities", "privileged sees the devices of the host",
        "a mount of a shared volume reaches the host",
    ], "runc 1.1.5 wants to grant CAP_SYS_RESOURCE, which root of this machine does not have")

    def set_up(self):
        at = self.directory
        nofile = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        limit = {"Name": "nofile", "Soft": nofile, "Hard": nofile}
        configuration = {
            "data-root": str(at / "root"), "exec-root": str(at / "exec"), "pidfile": str(at / "pid"),
            "hosts": [f"unix://{at}/socket"], "exec-opts": ["native.cgroupdriver=cgroupfs"],
            "default-ulimits": {"nofile": limit}, "oom-score-adjust": 0, "shutdown-timeout": 5,
            "runtimes": {} if self.runtime == "runc" else {self.runtime: {"path": str(self.path)}},
            "default-runtime": self.runtime,
        }
        (at / "daemon.json").write_text(json.dumps(configuration))
        with open(at / "log", "w") as log:
            self.daemon = subprocess.Popen(["dockerd", "--config-file", at / "daemon.json"], stdout=log, stderr=log)
        eventually("an answer of dockerd", lambda: self.cli("info").status == 0)
        self.cli("load", "-i", self.machine.directory / "image.tar").ok()

    def tear_down(self):
        self.daemon.terminate()
        self.daemon.wait(30)

    def command(self):
        env = {"DOCKER_BUILDKIT": "0", "HOME": str(self.directory)}
        return ["docker", "-H", f"unix://{self.directory}/socket"], env

    def runtime_in_info(self):
        """`info` has the name alone, `version` both."""
        name = self.cli("info", "--format", "{{.DefaultRuntime}}").ok().text
        components = self.cli("version", "--format", "{{json .Server.Components}}").ok().json()
        return name, next(f"{one['Name']} {one['Version']}" for one in components if one["Name"] == name)

    def health_options(self):
        return {"health_interval": "100ms", "health_retries": "1"}

    def health(self, container):
        return self.inspect(container, "State", "Health", "Status")

    @contextlib.contextmanager
    def two_services(self, image, server):
        """docker-compose; gives what the service that asks has last got."""
        file = self.directory / "docker-compose.yml"
        commands = {"server": server, "client": ["sh", "-c", CLIENT]}
        services = {name: {"image": image, "command": command} for name, command in commands.items()}
        file.write_text(json.dumps({"version": "3", "services": services}))
        env = {"DOCKER_HOST": f"unix://{self.directory}/socket", "HOME": str(self.directory)}
        compose = ["docker-compose", "--project-name", "cellar", "--file", file]
        call([*compose, "up", "-d"], env=env).ok()
        yield lambda: (self.logs("cellar_client_1").lines or [""])[-1]
        call([*compose, "down", "-t", "0"], env=env).ok()
