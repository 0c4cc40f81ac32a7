"""Buildah: what it runs are the steps of builds, each in a container of its own."""

from manager import IMAGE, Manager, NotOffered, call, call_with_terminal


class Buildah(Manager):
    name, title = "buildah", "Buildah"
    peer = "crun"
    # Flags of `buildah from`.
    flags = {option: "--" + option.replace("_", "-") for option in (
        "memory memory_swap cpu_shares cpuset_cpus cap_add cap_drop device security_opt ulimit shm_size volume "
        "network ipc pid uts add_host cgroup_parent").split()}
    # Flags of `buildah run`.
    run_flags = {"user": "--user", "workdir": "--workingdir", "env": "--env", "hostname": "--hostname"}

    keeps = ("iptables rule .*NETAVARK",)
    impossible = {
        "exit status of a program that is not there": "Buildah ends with 1 for whatever did not run",
        "exit status of a program that cannot be executed": "Buildah ends with 1 for whatever did not run",
        "the memory limit holds": "Buildah ends with 1 for whatever was killed",
        "no new privileges": "Buildah 1.28.2 does not know it",
    }

    def set_up(self):
        (self.directory / "containers.conf").write_text("[containers]\ndefault_ulimits = []\n")
        self.buildah("pull", f"docker-archive:{self.machine.directory}/image.tar").ok()

    def tear_down(self):
        self.buildah("rmi", "--all", "--force")

    def command(self):
        return ["buildah", "--root", self.directory / "root", "--runroot", self.directory / "run"]

    def env(self):
        configuration = self.directory / "containers.conf"
        paths = {"BUILDAH_RUNTIME": self.path, "TMPDIR": self.directory, "CONTAINERS_CONF": configuration}
        return {"BUILDAH_ISOLATION": "oci", **{name: str(path) for name, path in paths.items()}}

    def buildah(self, *words, **others):
        return call([*self.command(), *words], env=self.env(), **others)

    def words(self, options):
        if "volume" in options and not options["volume"].startswith("/"):
            raise NotOffered("named volumes")
        return super().words(options)

    def run_words(self, args, image, options, *flags):
        of_run = {option: options.pop(option) for option in list(options) if option in self.run_flags}
        container = self.buildah("from", "--ulimit", "nproc=10000:10000", *self.words(options), image).ok().text
        words = []
        for option, value in of_run.items():
            for one in value if isinstance(value, list) else [value]:
                words += [self.run_flags[option], one]
        return ["run", *flags, *words, container, "--", *args]

    def run(self, args, image=IMAGE, stdin="", **options):
        """Buildah runs no command of an image."""
        script = "{{index .OCIv1.Config.Cmd 2}}"
        args = args or ["sh", "-c", self.buildah("inspect", "--format", script, image).ok().text]
        return self.buildah(*self.run_words(args, image, options), stdin=stdin)

    def run_with_terminal(self, args, typed="", **options):
        words = self.run_words(args, IMAGE, options, "--terminal")
        return call_with_terminal([*self.command(), *words], typed, env=self.env())

    def build(self, directory, tag):
        return self.buildah("build", "--ulimit", "nproc=10000:10000", "-t", tag, directory)

    def remove_image(self, tag):
        self.clean()
        self.buildah("rmi", tag).ok()

    def default_security(self):
        return {}

    def clean(self):
        self.buildah("rm", "--all").ok()
