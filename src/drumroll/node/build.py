"""Images from Dockerfiles: reads the instructions, copies files, runs commands, writes the image.

All that COPY and WORKDIR do between two RUNs becomes one layer. A layer is made once per input: its key is a digest
of what lies below and of everything that goes in.
"""

import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path, PurePosixPath

from drumroll.domain.stop_signal import signal_number
from drumroll.node.build_context import BuildContext
from drumroll.node.build_tree import ImageTree, Planned
from drumroll.node.dockerfile import BuildError, Instruction, expand, parse_dockerfile, split_pairs, split_words
from drumroll.node.images import EPOCH, HOST_ROOT_LABEL, ImageStore, Json, Layer
from drumroll.node.oci_reference import parse_reference

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_NO_ARGS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class BuildResult:
    """A built image. `cached` is true when every layer was there already; `warnings` are whole sentences."""

    reference: str
    digest: str
    size: int
    cached: bool
    warnings: tuple[str, ...] = ()


@dataclass(slots=True)
class _State:
    """What the instructions so far have made."""

    tree: ImageTree
    layers: list[Layer]
    config: Json
    host_root: bool
    args: dict[str, str] = field(default_factory=dict)
    cached: bool = True
    warnings: list[str] = field(default_factory=list)

    @property
    def env(self) -> dict[str, str]:
        return dict(pair.split("=", 1) for pair in self.config.get("Env", ()))

    @property
    def variables(self) -> dict[str, str]:
        return {**self.args, **self.env}


def build_image(
    store: ImageStore,
    context: Path,
    tags: Sequence[str],
    dockerfile: Path | None = None,
    build_args: Mapping[str, str] = _NO_ARGS,
    say: Callable[[str], None] = lambda _line: None,
) -> BuildResult:
    """Build the image that `dockerfile` (default: `Dockerfile` in `context`) describes and name it with all `tags`.

    `say` receives one line per instruction and what RUN prints. Raises BuildError, ValueError for a bad tag.
    """
    for tag in tags:
        parse_reference(tag)
    if not context.is_dir():
        raise BuildError(f"{context} is not a folder: name the folder that holds the Dockerfile")
    path = dockerfile or context / "Dockerfile"
    instructions = parse_dockerfile(_read(path), str(path))
    with store.building():
        state = _Builder(store, BuildContext(context), dict(build_args), say).run(instructions, str(path))
        config = {
            "created": EPOCH,
            "architecture": _ARCHITECTURES.get(platform.machine(), platform.machine()),
            "os": "linux",
            "config": state.config,
        }
        digest = ""
        for tag in tags:
            digest = store.add_image(tag, config, state.layers)
    size = sum(layer.size for layer in state.layers)
    return BuildResult(tags[0] if tags else digest, digest, size, state.cached, tuple(state.warnings))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise BuildError(f"{path} does not exist: write it, or name another file with --file") from None
    except IsADirectoryError:
        raise BuildError(f"{path} is a folder: name the Dockerfile itself") from None
    except UnicodeDecodeError:
        raise BuildError(f"{path} is not text: a Dockerfile is UTF-8 text") from None


class _Builder:
    def __init__(
        self, store: ImageStore, context: BuildContext, build_args: dict[str, str], say: Callable[[str], None]
    ) -> None:
        self._store = store
        self._context = context
        self._build_args = build_args
        self._say = say

    def run(self, instructions: Sequence[Instruction], file: str) -> _State:
        state, rest = self._begin(instructions, file)
        for number, instruction in enumerate(rest, 2):
            self._say(f"[{number}/{len(rest) + 1}] {instruction.keyword} {instruction.value}")
            self._perform(state, instruction)
        self._flush(state)
        unused = sorted(set(self._build_args) - {i.value.partition("=")[0] for i in instructions if i.keyword == "ARG"})
        if unused:
            state.warnings.append(f"{file}: no ARG takes the build argument {', '.join(unused)}")
        return state

    def _begin(self, instructions: Sequence[Instruction], file: str) -> tuple[_State, Sequence[Instruction]]:
        global_args: dict[str, str] = {}
        for index, instruction in enumerate(instructions):
            if instruction.keyword == "ARG":
                self._declare(instruction, global_args, global_args)
            elif instruction.keyword == "FROM":
                rest = instructions[index + 1 :]
                return self._base(instruction, global_args, 1 + len(rest)), rest
            else:
                raise instruction.error(
                    f"{instruction.keyword} stands before FROM: begin with FROM scratch, FROM host or FROM <image>"
                )
        raise BuildError(f"{file}: there is no FROM: begin with FROM scratch, FROM host or FROM <image>")

    def _base(self, instruction: Instruction, args: dict[str, str], steps: int) -> _State:
        name = expand(instruction.value, args).split()[0]
        self._say(f"[1/{steps}] FROM {name}")
        if name == "scratch":
            return _State(ImageTree([]), [], {}, host_root=False)
        if name == "host":
            config = {"Env": [f"PATH={DEFAULT_PATH}"], "Labels": {HOST_ROOT_LABEL: "true"}}
            return _State(ImageTree([Path("/")]), [], config, host_root=True)
        try:
            image, whole = self._store.resolve(name), self._store.config(name)
        except ValueError as error:
            raise instruction.error(str(error)) from None
        if image is None or whole is None:
            raise instruction.error(
                f"there is no image {name} here: build or tag it first (`drumroll image ls` shows those that exist), "
                "or use FROM scratch or FROM host"
            )
        folders = ([Path("/")] if image.host_root else []) + list(image.layers)
        return _State(ImageTree(folders), list(self._store.layers(name)), dict(whole["config"]), image.host_root)

    def _declare(self, instruction: Instruction, scope: dict[str, str], known: Mapping[str, str]) -> None:
        for word in split_words(expand(instruction.value, known)):
            name, equals, default = word.partition("=")
            if name in self._build_args:
                scope[name] = self._build_args[name]
            elif equals:
                scope[name] = default
            else:
                scope.setdefault(name, "")

    def _perform(self, state: _State, instruction: Instruction) -> None:
        match instruction.keyword:
            case "COPY" | "ADD":
                self._copy(state, instruction)
            case "RUN":
                self._run_command(state, instruction)
            case "ARG":
                self._declare(instruction, state.args, state.variables)
            case "WORKDIR":
                path = _absolute(state, expand(instruction.value, state.variables))
                state.config["WorkingDir"] = path
                if not state.tree.is_folder(state.tree.resolve(path)):
                    state.tree.plan[state.tree.resolve(path)] = Planned(None)
            case "FROM":
                raise instruction.error(
                    "more than one FROM is not supported: build the first stage as an image of its "
                    "own and name it in FROM"
                )
            case "SHELL":
                if not instruction.words:
                    raise instruction.error('SHELL wants a JSON array, e.g. ["/bin/sh", "-c"]')
                state.config["Shell"] = list(instruction.words)
            case _:
                _configure(state, instruction)

    def _copy(self, state: _State, instruction: Instruction) -> None:
        if unknown := sorted(set(instruction.flags) - {"chown", "chmod", "link"}):
            raise instruction.error(f"{instruction.keyword} --{unknown[0]} is not supported")
        words = list(instruction.words) if instruction.words is not None else split_words(instruction.value)
        words = [expand(word, state.variables) for word in words]
        if len(words) < 2:
            raise instruction.error(f"{instruction.keyword} needs a source and a destination")
        *patterns, destination = words
        for pattern in patterns:
            if instruction.keyword == "ADD" and "://" in pattern:
                raise instruction.error("ADD of a URL is not supported: download the file into the folder and COPY it")
        sources = [path for pattern in patterns for path in self._context.select(pattern, instruction)]
        target = state.tree.resolve(_absolute(state, destination))
        into = destination.endswith("/") or destination in (".", "..") or state.tree.is_folder(target)
        if len(sources) > 1 and not into:
            raise instruction.error(f"the destination {destination!r} of several sources must end with /")
        owner = _owner(instruction.flags.get("chown", ""))
        for source in sources:
            place = target if source.is_dir() or not into else f"{target.rstrip('/')}/{source.name}"
            self._plan(state.tree, source, place, owner)

    def _plan(self, tree: ImageTree, source: Path, place: str, owner: tuple[int, int] | None) -> None:
        for found in self._context.walk(source):
            path = f"{place.rstrip('/')}/{found.below}" if found.below else place
            path = (
                tree.resolve(path)
                if found.path.is_dir()
                else tree.resolve(str(PurePosixPath(path).parent)).rstrip("/") + "/" + PurePosixPath(path).name
            )
            if path == "/" or (found.path.is_dir() and found.below == "" and tree.is_folder(path)):
                continue  # a folder that exists keeps its permissions
            tree.plan[path] = Planned(found.path, owner)

    def _flush(self, state: _State) -> None:
        tree = state.tree
        if not tree.plan:
            return
        key = _key(state, "copy", tree.fingerprint())
        layer = self._store.cached(key)
        if layer is None:
            state.cached = False
            folder = self._store.scratch_folder()
            folder.chmod(0o755)
            tree.stage(folder)
            layer = self._store.add_layer(folder, keep_owners=any(p.owner for p in tree.plan.values()))
            self._store.remember(key, layer)
        self._append(state, layer)

    def _append(self, state: _State, layer: Layer) -> None:
        state.layers.append(layer)
        state.tree.layers.append(self._store.layer_folder(layer.digest))
        state.tree.plan = {}

    def _run_command(self, state: _State, instruction: Instruction) -> None:
        self._flush(state)
        argv = _command(state, instruction)
        settings = (argv, sorted(state.variables.items()), state.config.get("WorkingDir"), state.config.get("User"))
        key = _key(state, "run", repr(settings))
        layer = self._store.cached(key)
        if layer is None:
            state.cached = False
            from drumroll.node.build_run import BuildStep, run_step

            step = BuildStep(
                layers=tuple(self._store.layer_folder(done.digest) for done in state.layers),
                host_root=state.host_root,
                argv=tuple(argv),
                env={"PATH": DEFAULT_PATH, **state.variables},
                working_dir=state.config.get("WorkingDir") or "/",
                user=state.config.get("User") or "",
            )
            layer = run_step(self._store, step, instruction, self._say)
            self._store.remember(key, layer)
        self._append(state, layer)


def _key(state: _State, what: str, detail: str) -> str:
    below = ",".join(layer.digest for layer in state.layers)
    as_root = os.geteuid() == 0  # owners and white-outs differ
    return sha256(f"1|{state.host_root}|{as_root}|{below}|{what}|{detail}".encode()).hexdigest()


def _configure(state: _State, instruction: Instruction) -> None:
    """The instructions that change the image's configuration only."""
    config = state.config
    match instruction.keyword:
        case "ENV":
            pairs = {**state.env, **{k: expand(v, state.variables) for k, v in split_pairs(instruction).items()}}
            config["Env"] = [f"{name}={value}" for name, value in pairs.items()]
        case "LABEL":
            labels = {k: expand(v, state.variables) for k, v in split_pairs(instruction).items()}
            config["Labels"] = {**(config.get("Labels") or {}), **labels}
        case "ENTRYPOINT":
            config["Entrypoint"] = _command(state, instruction)
            config.pop("Cmd", None)
        case "CMD":
            config["Cmd"] = _command(state, instruction)
        case "EXPOSE":
            ports = expand(instruction.value, state.variables).split()
            config["ExposedPorts"] = {
                **(config.get("ExposedPorts") or {}),
                **{_port(instruction, port): {} for port in ports},
            }
        case "USER":
            config["User"] = expand(instruction.value, state.variables)
        case "STOPSIGNAL":
            config["StopSignal"] = _signal(instruction, expand(instruction.value, state.variables))
        case "HEALTHCHECK" | "VOLUME" | "MAINTAINER":
            state.warnings.append(
                f"{instruction.file}:{instruction.line}: {instruction.keyword} is ignored, as Kubernetes ignores it"
            )


def _command(state: _State, instruction: Instruction) -> list[str]:
    if instruction.words is not None:
        return list(instruction.words)
    if not instruction.value:
        return []
    return [*state.config.get("Shell", ["/bin/sh", "-c"]), instruction.value]


def _port(instruction: Instruction, text: str) -> str:
    number, _, protocol = text.partition("/")
    if not number.isdecimal() or not 0 < int(number) < 65536 or protocol not in ("", "tcp", "udp", "sctp"):
        raise instruction.error(f"{text!r} is not a port: write 8080 or 8080/udp")
    return f"{number}/{protocol or 'tcp'}"


def _signal(instruction: Instruction, name: str) -> str:
    if signal_number(name) is None:
        raise instruction.error(f"{name!r} is not a signal: write SIGQUIT, QUIT or 3")
    return name


def _absolute(state: _State, path: str) -> str:
    return os.path.normpath(PurePosixPath(state.config.get("WorkingDir") or "/") / path)


def _owner(text: str) -> tuple[int, int] | None:
    """Numeric owners are set; names are tolerated and mean root, since scratch images have no user list."""
    user, _, group = text.partition(":")
    if not user.isdecimal():
        return None
    return int(user), int(group) if group.isdecimal() else int(user)
