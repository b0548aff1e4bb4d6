"""The signal that asks a container to end, as manifests and images name it."""

import re
import signal

DEFAULT = "SIGTERM"
_LAST = 64
_REAL_TIME = re.compile(r"RTMIN\+(\d{1,2})|RTMAX-(\d{1,2})")


def signal_number(name: str) -> int | None:
    """The number of a signal named like `SIGQUIT`, `QUIT`, `3` or `SIGRTMIN+3`; None when there is none of that name.

    Source: moby/sys signal/signal.go, ParseSignal: what STOPSIGNAL may say.
    """
    if name.isdecimal():
        return int(name) if 1 <= int(name) <= _LAST else None
    short = name.upper().removeprefix("SIG")
    if match := _REAL_TIME.fullmatch(short):
        up, down = match.groups()
        number = signal.SIGRTMIN + int(up) if up else signal.SIGRTMAX - int(down)
        return number if signal.SIGRTMIN <= number <= signal.SIGRTMAX else None
    found = signal.Signals.__members__.get(f"SIG{short}")
    return None if found is None else int(found)


def choose_stop_signal(lifecycle: str, image: str) -> str:
    """The name of the signal: what the lifecycle says, else the image, else SIGTERM.

    A name that no signal has does not count. Source: kubernetes pkg/apis/core/types.go, Lifecycle.StopSignal;
    containerd internal/cri/server/container_stop.go.
    """
    return next((name for name in (lifecycle, image) if signal_number(name) is not None), DEFAULT)
