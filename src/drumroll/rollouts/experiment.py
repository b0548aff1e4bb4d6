"""The Experiment controller's view: what it watches, and what a decision about one Experiment needs to know."""

from datetime import datetime

from drumroll.client.informer import Informer
from drumroll.domain.actions import NOTHING, Plan
from drumroll.domain.analysis.templates import Templates
from drumroll.domain.experiment.course import reconcile
from drumroll.domain.experiment.parts import World
from drumroll.objects.kinds import (
    ANALYSIS_RUN,
    ANALYSIS_TEMPLATE,
    CLUSTER_ANALYSIS_TEMPLATE,
    EXPERIMENT,
    REPLICA_SET,
    SERVICE,
)
from drumroll.objects.meta import Key, Obj, key_of, uid_of
from drumroll.reconcile.caches import Caches
from drumroll.reconcile.loop import Controller, Watch
from drumroll.reconcile.owners import itself, owner_keys


def experiment_controller(caches: Caches) -> Controller:
    """Turns Experiments into ReplicaSets, Services and AnalysisRuns."""
    experiments = caches.of(EXPERIMENT)
    owner = owner_keys(experiments)

    def owners(old: Obj | None, new: Obj | None) -> set[Key]:
        return {key for obj in (old, new) if obj is not None for key in owner(obj)}

    async def decide(key: Key, now: datetime) -> Plan:
        found = experiments.get(key)
        return NOTHING if found is None else reconcile(world(found), now)

    def world(experiment: Obj) -> World:
        namespace = key_of(experiment).namespace
        return World(
            experiment,
            replica_sets=_owned(caches.of(REPLICA_SET), experiment),
            services=_owned(caches.of(SERVICE), experiment),
            runs=_owned(caches.of(ANALYSIS_RUN), experiment),
            templates=Templates(
                {key_of(obj).name: obj for obj in caches.of(ANALYSIS_TEMPLATE).by_namespace(namespace)},
                {key_of(obj).name: obj for obj in caches.of(CLUSTER_ANALYSIS_TEMPLATE).items()},
            ),
        )

    owned = (Watch(caches.of(kind), owners) for kind in (REPLICA_SET, SERVICE, ANALYSIS_RUN))
    caches.of(ANALYSIS_TEMPLATE), caches.of(CLUSTER_ANALYSIS_TEMPLATE)  # to be there when the first decision asks
    return Controller("experiment", "rollouts-controller", (Watch(experiments, itself), *owned), decide)


def _owned(informer: Informer, owner: Obj) -> dict[str, Obj]:
    return {key_of(obj).name: obj for obj in informer.by_owner(uid_of(owner))}
