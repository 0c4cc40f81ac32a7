"""What is made in containers: images, copies, and the checks of health."""

from manager import IMAGE, equal, eventually

SHORT = {"an_image_is_built", "what_a_container_wrote_is_committed"}
FOREVER = ["sleep", "1000"]


def an_image_is_built(m):
    directory = m.directory / m.name_for("context")
    directory.mkdir()
    (directory / "words").write_text("oak\n")
    (directory / "Dockerfile").write_text(
        f"FROM {IMAGE}\nCOPY words /words\nRUN tr a-z A-Z </words >/loud && id -u >/id\nENV CASK=tierce\n"
        "USER 1000\nWORKDIR /home\nRUN id -u >/tmp/id2\nCMD cat /loud /id /tmp/id2; pwd; echo $CASK\n")
    m.build(directory, "localhost/built:1").ok()
    m.run([], image="localhost/built:1").ok().prints("OAK\n0\n1000\n/home\ntierce")
    m.remove_image("localhost/built:1")


def a_build_fails_with_its_step(m):
    directory = m.directory / m.name_for("context")
    directory.mkdir()
    (directory / "Dockerfile").write_text(f"FROM {IMAGE}\nRUN echo word from the step; exit 3\n")
    m.build(directory, "localhost/broken:1").fails().says("word from the step")


def what_a_container_wrote_is_committed(m):
    container = m.start(["sh", "-c", "echo oak >/cask; sleep 1000"])
    eventually("the file", lambda: m.exec(container, ["cat", "/cask"]).text == "oak")
    m.commit(container, "localhost/committed:1")
    m.run(["cat", "/cask"], image="localhost/committed:1").ok().prints("oak")
    m.remove(container)
    m.remove_image("localhost/committed:1")


def files_are_copied_in_and_out(m):
    container = m.start(FOREVER)
    source, target = m.directory / "in", m.directory / "out"
    source.write_text("oak\n")
    m.copy(source, f"{container}:/tmp/words")
    m.exec(container, ["cat", "/tmp/words"]).ok().prints("oak")
    m.copy(f"{container}:/tmp/words", target)
    equal(target.read_text(), "oak\n")


def changes_are_shown(m):
    container = m.start(["sh", "-c", "echo oak >/cask; sleep 1000"])
    eventually("the file", lambda: "A /cask" in m.cli("diff", container).ok().out)


def health_is_checked(m):
    container = m.start(["sh", "-c", "touch /tmp/well; sleep 1000"], health_cmd="test -f /tmp/well", **m.health_options())
    eventually("healthy", lambda: m.health(container) == "healthy")
    m.exec(container, ["rm", "/tmp/well"]).ok()
    eventually("unhealthy", lambda: m.health(container) == "unhealthy")
