"""Network namespaces that live as files, the way `ip netns` keeps them."""

import contextlib
import errno
import fcntl
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from drumroll.node.rootfs_mounts import MS_BIND, MS_SHARED, check_call, libc, mount, mounted_below, unmount

CLONE_NEWNET = 0x40000000

Result = TypeVar("Result")


def enter(namespace: Path) -> None:
    """Move the calling thread, and every thread and process that it starts from now on, into `namespace`.

    Open sockets stay where they were opened. Threads that run already stay too: call it before there are any, or
    do not use them for connections. Raises OSError.
    """
    descriptor = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
    try:
        check_call(libc.setns(descriptor, CLONE_NEWNET), str(namespace))
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock on the folder of names that `ip netns` takes too; the folder is made when absent."""
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def share(folder: Path) -> None:
    """Make the folder of names a mount of its own, as the first `ip netns add` on a machine does.

    Else a later one lays a copy of the folder over names that are there already, and what lies below can never be taken
    away. So does nothing when something is mounted in it. Call it `locked`. Source: iproute2 ip/ipnetns.c, netns_add.
    """
    if not mounted_below(folder):
        mount(str(folder), folder, flags=MS_BIND)
        mount("", folder, flags=MS_SHARED)


def create(namespace: Path) -> None:
    """Make a network namespace that stays for as long as the file `namespace` is mounted. Blocks for under 1 ms.

    A file of that name without a namespace (left by a reboot or a crash) is used. Raises OSError.
    """
    namespace.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    namespace.touch(exist_ok=True)

    def unshare() -> None:
        check_call(libc.unshare(CLONE_NEWNET), "network namespace")
        mount("/proc/thread-self/ns/net", namespace, flags=MS_BIND)

    _in_fresh_thread(unshare)


def keep(namespace: Path) -> None:
    """Give the calling thread's own network namespace the name `namespace` as well."""
    namespace.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    namespace.touch(exist_ok=True)
    mount("/proc/thread-self/ns/net", namespace, flags=MS_BIND)


def exists(namespace: Path) -> bool:
    """Whether a namespace is mounted at that file, and not just an empty file left."""
    try:
        return namespace.stat().st_dev == Path("/proc/self/ns/net").stat().st_dev
    except FileNotFoundError:
        return False


def is_current(namespace: Path) -> bool:
    """Whether the calling thread is in `namespace`."""
    with contextlib.suppress(FileNotFoundError):
        here, there = Path("/proc/thread-self/ns/net").stat(), namespace.stat()
        return (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)
    return False


def delete(namespace: Path) -> None:
    """Take the name away; the namespace ends with its last process and socket. Unknown ones are fine.

    A name over whose folder somebody has mounted another since (see `share`) stays as an empty file until a reboot.
    """
    while unmount(namespace):
        pass
    try:
        namespace.unlink(missing_ok=True)
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise


def run_inside(namespace: Path, work: Callable[[], Result]) -> Result:
    """What `work` returns, run by a thread inside `namespace`."""

    def inside() -> Result:
        enter(namespace)
        return work()

    return _in_fresh_thread(inside)


def _in_fresh_thread(work: Callable[[], Result]) -> Result:
    """A thread of its own, so that no pooled thread is left in another namespace."""
    results: list[Result] = []
    failures: list[OSError] = []

    def run() -> None:
        try:
            results.append(work())
        except OSError as error:
            failures.append(error)

    thread = threading.Thread(target=run, name="namespace")
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
    return results[0]
