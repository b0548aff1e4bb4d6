"""What homes that were deleted without `drumroll down` left on this machine: sockets' folders and networks.

A reboot takes both away; until then the next `drumroll up`, `down` or `demo` of the same user does, as far as nothing
lives there.
"""

import os
import shutil
from pathlib import Path

from drumroll.assembly.home import Home
from drumroll.assembly.settings import Settings


def remove_abandoned(runs: Path) -> None:
    """Take away the folders below `runs` (see `Home.run`) whose home is gone, with their networks."""
    for home in filter(None, map(_home_of, runs.glob("*/home"))):
        if not home.folder.exists():
            _remove(home)


def _home_of(note: Path) -> Home | None:
    """The home that a run folder was made for; None when the note is not a note of that folder."""
    try:
        home = Home(Path(note.read_text(encoding="utf-8")))
        is_its_own = home.run == note.parent
    except (OSError, ValueError):
        return None
    return home if is_its_own else None


def _remove(home: Home) -> None:
    from drumroll.assembly.isolation import ground_for

    if os.geteuid() == 0:  # others have no networks
        ground = ground_for(home, Settings(), "container", "")
        namespace = ground.network.namespace
        if namespace is not None and namespace.exists() and _lives_in(namespace):
            return
        ground.remove_network()
    shutil.rmtree(home.run, ignore_errors=True)


def _lives_in(namespace: Path) -> bool:
    """Whether a process of this machine is in the network namespace."""
    wanted = namespace.stat().st_ino
    for process in Path("/proc").glob("[0-9]*/ns/net"):
        try:
            if process.stat().st_ino == wanted:
                return True
        except OSError:
            continue  # it has ended, or is not ours to look at
    return False
