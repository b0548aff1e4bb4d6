"""A cluster's home: one folder that holds everything that must outlive a process.

    <home>/cluster.json     what `up` was told: isolation, ports
    <home>/parts/*.json     which process runs which part (with a lock beside each)
    <home>/kubeconfig       admin access, mode 0600
    <home>/pki  store  images  pods  proxy  logs

Unix sockets live in `run`, a short path elsewhere, since the kernel limits their names to 108 bytes.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path


class Refusal(Exception):
    """Something that we will not or cannot do; the message is a sentence that says what to do instead."""


@dataclass(frozen=True, slots=True)
class Home:
    """Paths of one cluster. Nothing is created by naming it; `create` does that."""

    folder: Path

    @property
    def identity(self) -> str:
        """Eight characters that name this home on the machine: network namespace, cgroups, container names."""
        return hashlib.sha256(str(self.folder.resolve()).encode()).hexdigest()[:8]

    @property
    def run(self) -> Path:
        """Folder for Unix sockets: short, private to the user, gone after a reboot. Its file `home` names the home."""
        if os.geteuid() == 0:
            return Path("/run/drumroll") / self.identity
        base = os.environ.get("XDG_RUNTIME_DIR") or f"/tmp/drumroll-{os.geteuid()}"
        return Path(base) / "drumroll" / self.identity

    @property
    def settings(self) -> Path:
        """What the last `up` was told."""
        return self.folder / "cluster.json"

    @property
    def parts(self) -> Path:
        """One JSON file and one lock per running part."""
        return self.folder / "parts"

    @property
    def kubeconfig(self) -> Path:
        """Admin access to this cluster."""
        return self.folder / "kubeconfig"

    @property
    def pki(self) -> Path:
        """The cluster's CA and the certificates it signed."""
        return self.folder / "pki"

    @property
    def store(self) -> Path:
        """The API server's database."""
        return self.folder / "store" / "state.db"

    @property
    def images(self) -> Path:
        """The image store; usable without a running cluster."""
        return self.folder / "images"

    @property
    def pods(self) -> Path:
        """A folder per pod uid."""
        return self.folder / "pods"

    @property
    def proxy(self) -> Path:
        """Envoy's bootstrap, process id and the DNS table."""
        return self.folder / "proxy"

    @property
    def logs(self) -> Path:
        """Logs of our own processes and Envoy's."""
        return self.folder / "logs"

    @property
    def last_logs(self) -> Path:
        """The logs of the demo before this one, kept because its cluster is gone."""
        return self.folder / "last-logs"

    def create(self) -> None:
        """Make the folders, private to the user. Raises Refusal when that cannot be."""
        folders = (self.folder, self.run, self.parts, self.pki, self.store.parent, self.images, self.pods)
        try:
            for folder in (*folders, self.proxy, self.logs):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            (self.run / "home").write_text(str(self.folder.resolve()), encoding="utf-8")
        except OSError as error:
            raise Refusal(
                f"cannot use {self.folder} as the cluster's home: {error.strerror}: {error.filename}. "
                "Choose another with --home DIR."
            ) from error


def default_home() -> Path:
    """$DRUMROLL_HOME, else the XDG state folder."""
    if named := os.environ.get("DRUMROLL_HOME"):
        return Path(named)
    state = os.environ.get("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local" / "state") / "drumroll"
