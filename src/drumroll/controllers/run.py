"""Runs every controller in one task group."""

import asyncio
from collections.abc import Callable
from datetime import datetime

from drumroll.client.client import Client
from drumroll.client.events import EventRecorder
from drumroll.controllers.clusterrole import clusterrole_controller
from drumroll.controllers.customkinds import follow_definitions
from drumroll.controllers.deployment import deployment_controller
from drumroll.controllers.disruption import disruption_controller
from drumroll.controllers.endpoints import endpoints_controller
from drumroll.controllers.endpointslice import endpointslice_controller
from drumroll.controllers.event_expiry import expire_events
from drumroll.controllers.garbage import garbage_controller
from drumroll.controllers.meters import add_rollout_figures
from drumroll.controllers.mirroring import mirroring_controller
from drumroll.controllers.namespace import namespace_controller
from drumroll.controllers.replicaset import replicaset_controller
from drumroll.controllers.replicationcontroller import replicationcontroller_controller
from drumroll.controllers.resourcequota import resourcequota_controller
from drumroll.controllers.rootca import rootca_controller
from drumroll.controllers.serviceaccount import serviceaccount_controller
from drumroll.controllers.services import Rosters
from drumroll.objects.metrics import Metrics
from drumroll.reconcile.caches import Caches
from drumroll.reconcile.loop import run_controller
from drumroll.reconcile.perform import Performer


async def run_controllers(
    client: Client, *, now: Callable[[], datetime], root_ca: str, metrics: Metrics | None = None
) -> None:
    """Run informers and controllers until cancelled. `root_ca` is the cluster CA's certificate as PEM."""
    caches = Caches(client)
    metrics = metrics or Metrics()
    add_rollout_figures(metrics, caches)
    rosters = Rosters(caches)
    controllers = (
        deployment_controller(caches),
        replicaset_controller(caches),
        endpointslice_controller(caches, rosters),
        endpoints_controller(caches, rosters),
        replicationcontroller_controller(caches),
        disruption_controller(caches),
        mirroring_controller(caches),
        resourcequota_controller(caches),
        garbage_controller(caches),
        namespace_controller(caches),
        serviceaccount_controller(caches),
        rootca_controller(caches, root_ca),
        clusterrole_controller(caches),
    )
    follow_definitions(caches)
    async with asyncio.TaskGroup() as group:
        for controller in controllers:
            recorder = EventRecorder(client, controller.component, now)
            group.create_task(recorder.run(), name=f"{controller.name}-events")
            performer = Performer(client, recorder)
            group.create_task(run_controller(controller, caches, performer, now, metrics), name=controller.name)
        group.create_task(expire_events(client, now), name="event-expiry")
        group.create_task(caches.run(), name="informers")
