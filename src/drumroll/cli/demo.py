"""`drumroll demo`: the main job on a cluster of its own, from nothing to the report."""

import argparse
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from drumroll.assembly.abandoned import remove_abandoned
from drumroll.assembly.daemon import start_daemon
from drumroll.assembly.home import Home, Refusal, default_home
from drumroll.assembly.settings import Settings

if TYPE_CHECKING:
    from drumroll.demo.progress import Progress


def demo(options: argparse.Namespace) -> int:
    """Images built, cluster up, update and undo under load, report, cluster down; 1 when a request failed."""
    from drumroll.demo.progress import progress_for
    from drumroll.demo.run import samples_folder

    home = Home((options.home or demo_home()).expanduser().absolute())
    samples = samples_folder()
    if not samples.is_dir():
        raise Refusal(f"the demo needs the samples of a Drumroll checkout, and {samples} is not there.")
    if options.rate < 1:
        raise Refusal("--rate wants at least one request per second.")
    remove_abandoned(home.run.parent)
    home.create()
    with progress_for(sys.stdout) as progress:
        _build_images(home, samples, progress)
        _stop(home)  # what an interrupted demo left
        home.create()
        try:
            started = time.monotonic()
            facts = start_daemon(home, _settings(options))
            seconds = time.monotonic() - started
            progress.step(f"cluster up in {seconds:.1f} s, {facts['isolation']} isolation: {facts['why']}")
            report, status = _run(home, options, facts, samples, progress)
        finally:
            if not options.keep:
                progress.step("taking the cluster down")
                _stop(home)
    print(report)
    if options.keep:
        print(f"The cluster is still up: kubectl --kubeconfig {home.kubeconfig} get pods -A")
    return status


def demo_home() -> Path:
    """Beside the default home, so that a demo never meets the user's own cluster."""
    home = default_home()
    return home.with_name(f"{home.name}-demo")


def _settings(options: argparse.Namespace) -> Settings:
    isolation = None if options.isolation in (None, "auto") else options.isolation
    return Settings(isolation=isolation, api_port=0, http_port=0, https_port=0)


def _build_images(home: Home, samples: Path, progress: "Progress") -> None:
    from drumroll.demo.run import demo_images
    from drumroll.node.build import build_image
    from drumroll.node.dockerfile import BuildError
    from drumroll.node.images import ImageStore

    progress.step("building the images of the lab's services")
    store = ImageStore(home.images)
    for source in demo_images(samples):
        try:
            build_image(store, source.context, source.tags, source.dockerfile, source.args)
        except (BuildError, ValueError) as error:
            raise Refusal(str(error)) from error


def _run(
    home: Home, options: argparse.Namespace, facts: dict[str, str], samples: Path, progress: "Progress"
) -> tuple[str, int]:
    """The report and the exit status."""
    import uvloop

    from drumroll.demo.manifests import NoSamples
    from drumroll.demo.rollout import RolloutFailed
    from drumroll.demo.run import DemoOptions, RunningCluster, run_demo
    from drumroll.objects.errors import ApiError

    http, https = urlsplit(facts["http"]), urlsplit(facts["https"])
    cluster = RunningCluster(
        kubeconfig=home.kubeconfig,
        address=str(http.hostname),
        http_port=int(http.port or 80),
        https_port=int(https.port or 443),
        isolation=facts["isolation"],
        work=home.folder,
    )
    wishes = DemoOptions(samples=samples, rate=options.rate, colour=sys.stdout.isatty())
    try:
        result = uvloop.run(run_demo(cluster, wishes, progress))
    except (RolloutFailed, NoSamples, ApiError) as error:
        raise Refusal(
            f"the demo could not run: {error}. The cluster's log is {home.logs / 'control-plane.log'}."
        ) from error
    return result.report, result.exit_code


def _stop(home: Home) -> None:
    from drumroll.assembly.outliving import stop_outliving
    from drumroll.cli.down import delete_data, stop_control_plane

    stop_control_plane(home)
    stop_outliving(home)
    if home.logs.exists():
        shutil.rmtree(home.last_logs, ignore_errors=True)
        home.logs.rename(home.last_logs)
    delete_data(home)
