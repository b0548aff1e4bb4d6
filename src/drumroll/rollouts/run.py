"""Runs the controllers of progressive delivery against any API server, as soon as there is something for them to do.

An API server may not know our kinds yet, or may learn of some later (the Gateway API, say). And where nobody has a
Rollout, an AnalysisRun, an Experiment or an ABTest, nothing but these is watched and nothing else is loaded.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime

import orjson

from drumroll.client.client import Client
from drumroll.client.informer import Informer
from drumroll.objects.argo_v1alpha1 import ROLLOUT_HASH
from drumroll.objects.errors import ApiError, NotFound
from drumroll.objects.kinds import (
    AB_TEST,
    ANALYSIS_RUN,
    ANALYSIS_TEMPLATE,
    CLUSTER_ANALYSIS_TEMPLATE,
    DEPLOYMENT,
    EXPERIMENT,
    GRPC_ROUTE,
    HTTP_ROUTE,
    INGRESS,
    POD,
    REPLICA_SET,
    ROLLOUT,
    SERVICE,
    TRAFFIC_SPLIT,
    Kind,
)
from drumroll.objects.metrics import Metrics

log = logging.getLogger("drumroll.rollouts")

REQUIRED = (ROLLOUT, ANALYSIS_RUN, EXPERIMENT, ANALYSIS_TEMPLATE, CLUSTER_ANALYSIS_TEMPLATE)
OPTIONAL = (HTTP_ROUTE, GRPC_ROUTE, TRAFFIC_SPLIT, AB_TEST)
ALWAYS = (SERVICE, INGRESS, DEPLOYMENT)
FIRST_LOOK, LAST_LOOK = 0.2, 30.0
"""Seconds between looks at what the API server serves."""


async def run_rollouts(client: Client, *, now: Callable[[], datetime], metrics: Metrics | None = None) -> None:
    """Run the controllers of Rollout, AnalysisRun, Experiment and, where it is served, ABTest until cancelled."""
    while True:
        served = await wait_served(client)
        await _wait_needed(client, served)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_end_at_change(client, served), name="served-kinds")
                group.create_task(_run(client, served, now, metrics or Metrics()), name="rollout-controllers")
        except* _KindsChanged:
            log.info("kinds_changed")


async def missing_kinds(client: Client) -> tuple[Kind, ...]:
    """Those of our kinds that the API server does not serve."""
    served = await _served(client, REQUIRED)
    return tuple(kind for kind in REQUIRED if kind not in served)


async def wait_served(client: Client) -> frozenset[Kind]:
    """Return when all of our kinds are served: what is served of all that we know."""
    delay, told = FIRST_LOOK, False
    while missing := await _missing(client):
        if not told and delay > 5:
            told = True
            log.warning(
                "kinds_missing kinds=%s hint=%s",
                ",".join(kind.resource for kind in missing),
                "install the CustomResourceDefinitions of Argo Rollouts; waiting for them",
            )
        await asyncio.sleep(delay)
        delay = min(LAST_LOOK, delay * 2)
    return frozenset((*REQUIRED, *ALWAYS, *(await _served(client, OPTIONAL))))


async def _missing(client: Client) -> tuple[Kind, ...]:
    try:
        return await missing_kinds(client)
    except ApiError as error:
        log.debug("discovery_failed message=%s", error)
        return REQUIRED


async def _served(client: Client, kinds: tuple[Kind, ...]) -> frozenset[Kind]:
    found: set[Kind] = set()
    for version in {kind.api_version for kind in kinds}:
        try:
            resources = orjson.loads(await client.raw(f"/apis/{version}")).get("resources") or ()
        except NotFound:
            continue
        names = {resource["name"] for resource in resources}
        found |= {kind for kind in kinds if kind.api_version == version and kind.plural in names}
    return frozenset(found)


class _KindsChanged(Exception):
    """Another set of kinds is served than the one that the controllers were made for."""


async def _end_at_change(client: Client, served: frozenset[Kind]) -> None:
    while True:
        await asyncio.sleep(LAST_LOOK)
        try:
            now_served = frozenset((*(await _served(client, REQUIRED + OPTIONAL)), *ALWAYS))
        except ApiError:
            continue
        if now_served != served:
            raise _KindsChanged


async def _wait_needed(client: Client, served: frozenset[Kind]) -> None:
    """Return when there is an object that one of the controllers must look at."""
    needed = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        tasks = []
        for kind in served & {ROLLOUT, ANALYSIS_RUN, EXPERIMENT, AB_TEST}:
            informer = Informer(client, kind)
            informer.subscribe(lambda old, new: needed.set())
            tasks.append(group.create_task(informer.run(), name=f"first-{kind.plural}"))
        await needed.wait()
        for task in tasks:
            task.cancel()


async def _run(client: Client, served: frozenset[Kind], now: Callable[[], datetime], metrics: Metrics) -> None:
    from drumroll.client.events import EventRecorder
    from drumroll.reconcile.caches import Caches
    from drumroll.reconcile.loop import run_controller
    from drumroll.reconcile.perform import Performer
    from drumroll.rollouts.abtest import abtest_controller
    from drumroll.rollouts.analysis import analysis_controller
    from drumroll.rollouts.experiment import experiment_controller
    from drumroll.rollouts.exposure import exposure_controller
    from drumroll.rollouts.figures import add_figures
    from drumroll.rollouts.providers.asking import Web
    from drumroll.rollouts.rollout import rollout_controller

    caches, web = Caches(client, {POD: ROLLOUT_HASH, REPLICA_SET: ROLLOUT_HASH}), Web(client)
    controllers = [
        rollout_controller(caches, served),
        analysis_controller(caches, client, web, now),
        experiment_controller(caches),
        exposure_controller(caches, web),
    ]
    if {AB_TEST, HTTP_ROUTE} <= served:
        controllers.append(abtest_controller(caches, web))
    add_figures(metrics, caches)
    async with web, asyncio.TaskGroup() as group:
        for controller in controllers:
            recorder = EventRecorder(client, controller.component, now)
            group.create_task(recorder.run(), name=f"{controller.name}-events")
            performer = Performer(client, recorder)
            group.create_task(run_controller(controller, caches, performer, now, metrics), name=controller.name)
        group.create_task(caches.run(), name="rollout-informers")
