"""`drumroll down`: stop everything of a home, in the order that loses least."""

import argparse
import os
import select
import shutil
import signal

from drumroll.assembly.abandoned import remove_abandoned
from drumroll.assembly.home import Home, Refusal
from drumroll.assembly.registry import running_parts
from drumroll.cli.home import home_of

PATIENCE = 10.0  # seconds for the control plane to end after SIGTERM


def down(options: argparse.Namespace) -> int:
    """Stop the control plane, then pods and Envoy, then the network; 0 also when nothing ran."""
    from drumroll.assembly.outliving import stop_outliving

    home = home_of(options)
    if not home.folder.is_dir():
        remove_abandoned(home.run.parent)
        print(f"There is no cluster in {home.folder}.")
        return 0
    stop_control_plane(home)
    stop_outliving(home)
    if options.delete:
        delete_data(home)
        forget_context(options)
        print(f"Cluster is down and its data deleted; images are kept in {home.images}.")
    else:
        print(f"Cluster is down. Its data is kept in {home.folder}; `drumroll up` goes on from there.")
    return 0


def stop_control_plane(home: Home) -> None:
    """SIGTERM to every process that holds a part, SIGKILL to those that do not listen; returns when all have ended."""
    for pid in {part.pid for part in running_parts(home)}:
        if not _ends(pid, signal.SIGTERM) and not _ends(pid, signal.SIGKILL):
            raise Refusal(f"process {pid} does not end; look at {home.logs}.")


def delete_data(home: Home) -> None:
    """Everything but the images."""
    for path in (home.store.parent, home.pods, home.pki, home.proxy, home.parts, home.logs, home.run):
        shutil.rmtree(path, ignore_errors=True)
    for path in (home.settings, home.kubeconfig):
        path.unlink(missing_ok=True)


def forget_context(options: argparse.Namespace) -> None:
    """Take the context out of the user's kubeconfig again."""
    from drumroll.cli.up import CONTEXT, user_kubeconfig
    from drumroll.client.kubeconfig import KubeconfigError, remove_context

    file = options.kubeconfig or user_kubeconfig()
    if file.exists():
        try:
            remove_context(file, CONTEXT)
        except (KubeconfigError, OSError) as error:
            print(f"drumroll: the context is still in {file}: {error}")


def _ends(pid: int, number: signal.Signals) -> bool:
    """Send a signal; whether the process has ended within the patience. The descriptor cannot mean another process."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        signal.pidfd_send_signal(process, number)
        ended, _, _ = select.select([process], [], [], PATIENCE)
        return bool(ended)
    except ProcessLookupError:
        return True
    except PermissionError as error:
        raise Refusal(f"process {pid} belongs to another user; run `drumroll down` as that user.") from error
    finally:
        os.close(process)
