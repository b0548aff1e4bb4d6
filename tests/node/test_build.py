import os
import time
from pathlib import Path

import pytest

from drumroll.node.build import BuildResult, build_image
from drumroll.node.containers_check import check
from drumroll.node.dockerfile import BuildError, expand, parse_dockerfile
from drumroll.node.images import ImageStore
from drumroll.node.runtime import RootImage


class Workshop:
    """A store and a context folder to build from."""

    def __init__(self, folder: Path) -> None:
        self.store = ImageStore(folder / "images")
        self.context = folder / "context"
        self.context.mkdir()

    def write(self, name: str, content: str = "x") -> None:
        path = self.context / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)

    def build(self, dockerfile: str, tag: str = "app:1", **build_args: str) -> BuildResult:
        self.write("Dockerfile", dockerfile)
        return build_image(self.store, self.context, [tag], build_args=build_args)

    def image(self, tag: str = "app:1") -> RootImage:
        image = self.store.resolve(tag)
        assert image is not None
        return image

    def files(self, tag: str = "app:1") -> dict[str, str]:
        """Every file of the image and its content, upper layers over lower ones."""
        found = {}
        for layer in self.image(tag).layers:
            for path in sorted(layer.rglob("*")):
                if path.is_file() and not path.is_symlink():
                    found[str(path.relative_to(layer))] = path.read_text()
        return found


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)


def test_every_setting_of_a_dockerfile_reaches_the_image(shop):
    shop.write("app.py", "print()")
    shop.build(
        """# a service
ARG BASE=host
FROM ${BASE}
ARG VERSION=0.0.0
ENV VERSION=$VERSION NAME="My Shop" \\
    # a comment inside
    EMPTY=
LABEL a=b
WORKDIR /srv
WORKDIR app
COPY app.py .
EXPOSE 8080 9080/udp
USER 1000:1000
STOPSIGNAL QUIT
ENTRYPOINT ["/usr/bin/python3", "-u"]
CMD ["/srv/app/app.py"]
""",
        VERSION="0.0.2",
    )
    image = shop.image()
    assert image.host_root
    assert (image.entrypoint, image.command) == (("/usr/bin/python3", "-u"), ("/srv/app/app.py",))
    assert (image.working_dir, image.user, image.stop_signal) == ("/srv/app", "1000:1000", "QUIT")
    assert image.env["VERSION"] == "0.0.2"
    assert image.env["NAME"] == "My Shop"
    assert image.env["EMPTY"] == ""
    assert image.env["PATH"].startswith("/usr/local/sbin")
    assert shop.files() == {"srv/app/app.py": "print()"}
    ports = shop.store.config("app:1")["config"]["ExposedPorts"]
    assert ports == {"8080/tcp": {}, "9080/udp": {}}


def test_the_shell_form_runs_a_shell(shop):
    shop.build("FROM scratch\nENTRYPOINT exec /app $HOME\n")
    assert shop.image().entrypoint == ("/bin/sh", "-c", "exec /app $HOME")


def test_an_image_builds_on_another_and_keeps_what_it_does_not_change(shop):
    shop.write("one", "1")
    shop.write("two", "2")
    shop.build('FROM scratch\nENV A=1 B=1\nCOPY one /d/one\nENTRYPOINT ["/one"]\nCMD ["x"]\n', "base:1")
    shop.build('FROM base:1\nENV B=2\nCOPY two /d/\nCMD ["y"]\n')
    image = shop.image()
    assert shop.files() == {"d/one": "1", "d/two": "2"}
    assert dict(image.env) == {"A": "1", "B": "2"}
    assert (image.entrypoint, image.command) == (("/one",), ("y",))
    assert image.layers[0] == shop.image("base:1").layers[0]


@pytest.mark.parametrize(
    ("copy", "files"),
    [
        pytest.param("COPY a.txt /x", {"x": "a"}, id="a file to a name"),
        pytest.param("COPY a.txt /x/", {"x/a.txt": "a"}, id="a file into a folder"),
        pytest.param("COPY *.txt /x/", {"x/a.txt": "a", "x/b.txt": "b"}, id="a glob"),
        pytest.param("COPY a.txt b.txt /x/", {"x/a.txt": "a", "x/b.txt": "b"}, id="several files"),
        pytest.param("COPY sub /x", {"x/c.txt": "c", "x/deep/d.txt": "d"}, id="a folder's contents"),
        pytest.param("COPY sub /x/", {"x/c.txt": "c", "x/deep/d.txt": "d"}, id="a folder's contents into a folder"),
        pytest.param('COPY ["a.txt", "/x y"]', {"x y": "a"}, id="the JSON form"),
        pytest.param("COPY --chown=7:8 a.txt /x", {"x": "a"}, id="an owner"),
        pytest.param("ADD a.txt /x", {"x": "a"}, id="ADD of a file"),
        pytest.param("COPY a.txt /x\nCOPY b.txt /x", {"x": "b"}, id="the last one wins"),
        pytest.param("COPY a.txt /x/\nCOPY b.txt /x", {"x/a.txt": "a", "x/b.txt": "b"}, id="into a folder made before"),
        pytest.param("WORKDIR /w\nCOPY a.txt ./", {"w/a.txt": "a"}, id="relative to the working folder"),
        pytest.param("ENV D=/x\nCOPY a.txt ${D}/", {"x/a.txt": "a"}, id="a variable in the destination"),
    ],
)
def test_copy_puts_files_where_docker_puts_them(shop, copy, files):
    for name, content in {"a.txt": "a", "b.txt": "b", "sub/c.txt": "c", "sub/deep/d.txt": "d"}.items():
        shop.write(name, content)
    shop.build(f"FROM scratch\n{copy}\n")
    assert shop.files() == files


def test_the_ignore_file_keeps_files_out(shop):
    for name in ("a.txt", "b.log", "sub/c.log", "sub/keep.log", "node_modules/x"):
        shop.write(name)
    shop.write(".dockerignore", "# comment\n**/*.log\n!sub/keep.log\nnode_modules\nDockerfile\n.dockerignore\n")
    shop.build("FROM scratch\nCOPY . /\n")
    assert sorted(shop.files()) == ["a.txt", "sub/keep.log"]
    with pytest.raises(BuildError, match=r"b\.log' is excluded by \.dockerignore"):
        shop.build("FROM scratch\nCOPY b.log /\n")


def test_permissions_and_links_survive(shop):
    shop.write("run.sh", "#!/bin/sh\n")
    (shop.context / "run.sh").chmod(0o755)
    (shop.context / "link").symlink_to("run.sh")
    shop.build("FROM scratch\nCOPY . /app/\n")
    (layer,) = shop.image().layers
    assert (layer / "app/run.sh").stat().st_mode & 0o777 == 0o755
    assert (layer / "app/link").readlink() == Path("run.sh")


def test_a_link_of_the_machine_is_followed_and_not_replaced(shop):
    if not Path("/bin").is_symlink():
        pytest.skip("/bin is a folder on this machine")
    shop.write("tool")
    shop.build("FROM host\nCOPY tool /bin/tool\n")
    assert list(shop.files()) == ["usr/bin/tool"]


def test_equal_input_gives_an_equal_digest_anywhere(tmp_path):
    digests = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        shop = Workshop(tmp_path / name)
        shop.write("b", "1")
        shop.write("a/c", "2")
        os.utime(shop.context / "b", (1, len(digests)))
        digests.append(shop.build("FROM scratch\nCOPY . /\n").digest)
    assert digests[0] == digests[1]


def test_a_second_build_takes_milliseconds_and_a_changed_file_is_noticed(shop):
    shop.write("app.py", "one")
    dockerfile = "FROM host\nCOPY app.py /app/\n"
    first = shop.build(dockerfile)
    began = time.perf_counter()
    again = shop.build(dockerfile)
    seconds = time.perf_counter() - began
    assert (first.cached, again.cached, again.digest) == (False, True, first.digest)
    assert seconds < 0.25
    shop.write("app.py", "two")
    changed = shop.build(dockerfile)
    assert not changed.cached
    assert changed.digest != first.digest


@pytest.mark.parametrize(
    ("dockerfile", "message"),
    [
        pytest.param("", "there is no FROM", id="an empty file"),
        pytest.param("RUN x\n", r"Dockerfile:1: RUN stands before FROM", id="no FROM first"),
        pytest.param("FROM nothing:1\n", r"Dockerfile:1: there is no image nothing:1 here", id="an unknown base"),
        pytest.param("FROM UPPER\n", r"Dockerfile:1: couldn't parse image name", id="a bad base name"),
        pytest.param("FROM scratch\n\nFOO bar\n", r"Dockerfile:3: unknown instruction 'FOO'", id="unknown instruction"),
        pytest.param("FROM scratch\nCOPY gone /\n", r"Dockerfile:2: COPY source 'gone' does not exist", id="no source"),
        pytest.param("FROM scratch\nCOPY *.gone /\n", r"'\*\.gone' matches no file", id="a glob without a match"),
        pytest.param("FROM scratch\nCOPY ../x /\n", r"outside of the build context", id="outside of the context"),
        pytest.param("FROM scratch\nCOPY a\n", r"needs a source and a destination", id="no destination"),
        pytest.param("FROM scratch\nCOPY a b /c\n", r"must end with /", id="several sources to one name"),
        pytest.param("FROM scratch\nCOPY --from=x a /\n", r"--from is not supported", id="a stage"),
        pytest.param("FROM scratch\nFROM host\n", r"Dockerfile:2: more than one FROM", id="two stages"),
        pytest.param("FROM scratch\nENV A\n", r"Dockerfile:2: ENV A needs a value", id="a variable without a value"),
        pytest.param("FROM scratch\nEXPOSE http\n", r"'http' is not a port", id="a port that is none"),
        pytest.param("FROM scratch\nSTOPSIGNAL STOP!\n", r"'STOP!' is not a signal", id="a signal that is none"),
        pytest.param("FROM scratch\nADD http://x/y /\n", r"ADD of a URL", id="a URL"),
        pytest.param("FROM scratch\nCOPY\n", r"Dockerfile:2: COPY needs an argument", id="no argument"),
        pytest.param("FROM scratch\nCOPY <<EOF /x\n", r"here-documents", id="a here-document"),
    ],
)
def test_a_mistake_is_named_with_file_and_line_and_leaves_no_image(shop, dockerfile, message):
    shop.write("a")
    shop.write("b")
    with pytest.raises(BuildError, match=message):
        shop.build(dockerfile)
    assert list(shop.store.list()) == []


def test_a_folder_without_a_dockerfile_says_what_to_do(shop, tmp_path):
    with pytest.raises(BuildError, match=r"Dockerfile does not exist: write it, or name another file with --file"):
        build_image(shop.store, shop.context, ["a:1"])
    with pytest.raises(BuildError, match="is not a folder"):
        build_image(shop.store, tmp_path / "gone", ["a:1"])


def test_a_link_out_of_the_context_is_refused(shop):
    (shop.context / "passwd").symlink_to("/etc/passwd")
    with pytest.raises(BuildError, match="outside of the build context"):
        shop.build("FROM scratch\nCOPY passwd /\n")


def test_an_unused_build_argument_is_a_warning(shop):
    result = shop.build("FROM scratch\nENV A=1\n", VERSION="2")
    assert "no ARG takes the build argument VERSION" in result.warnings[0]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$A", "1"),
        ("${A}x", "1x"),
        ("${B:-d}", "d"),
        ("${A:-d}", "1"),
        ("${A:+s}", "s"),
        ("${B:+s}", ""),
        (r"\$A", "$A"),
        ("$B", ""),
        ("${B:-$A}", "1"),
    ],
)
def test_variables_are_replaced_as_in_docker(text, value):
    assert expand(text, {"A": "1"}) == value


def test_a_continued_instruction_keeps_its_first_line_number():
    first, second = parse_dockerfile("FROM host\n\nRUN a && \\\n\n  # why\n  b\n", "Dockerfile")
    assert (first.line, second.line, second.value) == (1, 3, "a &&   b")


@pytest.fixture
def root_shop(shop):
    if refusal := check():
        pytest.skip(f"no container isolation: {refusal}")
    return shop


@pytest.mark.container
def test_run_changes_the_image_and_leaves_the_machine_alone(root_shop):
    root_shop.write("make.sh", "set -e; echo made-$VERSION > /srv/made; rm /app/old; id -u; echo x > /root/secret\n")
    root_shop.write("old")
    said = []
    root_shop.write(
        "Dockerfile",
        "FROM host\nENV VERSION=7\nCOPY old make.sh /app/\n"
        "RUN echo from the step && \\\n  sh /app/make.sh\nCOPY old /late\n",
    )
    build_image(root_shop.store, root_shop.context, ["app:1"], say=said.append)
    assert "    from the step" in said
    layers = root_shop.image().layers
    assert len(layers) == 3
    assert (layers[1] / "srv/made").read_text() == "made-7\n"
    made = {str(path.relative_to(layers[1])) for path in layers[1].rglob("*")}
    assert made == {"srv", "srv/made", "app", "app/old"}  # app/old is the white-out
    assert not Path("/srv/made").exists()
    again = build_image(root_shop.store, root_shop.context, ["app:1"])
    assert again.cached


@pytest.mark.container
def test_a_failing_run_names_its_line_and_exit_code(root_shop):
    with pytest.raises(BuildError, match=r"Dockerfile:2: RUN exit 3: it ended with exit code 3"):
        root_shop.build("FROM host\nRUN exit 3\n")
    with pytest.raises(BuildError, match=r"Dockerfile:2: RUN .*no such file or directory"):
        root_shop.build('FROM host\nRUN ["/no/such"]\n')
    assert list(root_shop.store.list()) == []
    assert list((root_shop.store.folder / "scratch").iterdir()) == []
