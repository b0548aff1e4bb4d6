"""The Rollout controller's view: what it watches, and what a decision about one Rollout needs to know."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from drumroll.client.informer import Informer
from drumroll.domain.actions import Action, Plan
from drumroll.domain.endpointslice import SERVICE_NAME
from drumroll.domain.rollout.analysis import Templates
from drumroll.domain.rollout.decide import decide
from drumroll.domain.rollout.inputs import Inputs
from drumroll.domain.rollout.references import References, references_of
from drumroll.domain.rollout.services import MANAGED_BY, release
from drumroll.objects.errors import NotFound
from drumroll.objects.kinds import (
    ANALYSIS_RUN,
    ANALYSIS_TEMPLATE,
    CLUSTER_ANALYSIS_TEMPLATE,
    DEPLOYMENT,
    ENDPOINT_SLICE,
    EXPERIMENT,
    GRPC_ROUTE,
    HTTP_ROUTE,
    INGRESS,
    POD,
    POD_TEMPLATE,
    REPLICA_SET,
    ROLLOUT,
    SERVICE,
    TRAFFIC_SPLIT,
    Kind,
)
from drumroll.objects.meta import Key, Obj, annotations_of, controller_of, key_of, labels_of, uid_of
from drumroll.reconcile.caches import Caches
from drumroll.reconcile.loop import Controller, Keys, Watch
from drumroll.reconcile.owners import itself, owner_keys, owners_of

UNWATCHED = {kind.name: kind for kind in (REPLICA_SET, POD_TEMPLATE)}
"""What a workloadRef may name besides Deployments: too rare for watching all of them, so they are asked for."""

LOOK_AGAIN = timedelta(seconds=10)

REFERRED = (SERVICE, INGRESS, HTTP_ROUTE, GRPC_ROUTE, TRAFFIC_SPLIT, DEPLOYMENT)


def rollout_controller(caches: Caches, served: frozenset[Kind]) -> Controller:
    """Turns Rollouts into ReplicaSets and traffic; `served` are the kinds that this API server has."""
    view = _View(caches, served)
    return Controller("rollout", "rollouts-controller", view.watches(), view.decide)


class _View:
    def __init__(self, caches: Caches, served: frozenset[Kind]) -> None:
        self._caches, self._served = caches, served
        self._rollouts = caches.of(ROLLOUT)
        self._refers: dict[str, tuple[int, References]] = {}
        self._rollouts.subscribe(self._forget)

    def _references(self, rollout: Obj) -> References:
        """What a Rollout refers to, read once per generation: every change of a route asks it of every Rollout."""
        uid, generation = uid_of(rollout), rollout["metadata"].get("generation") or 0
        known = self._refers.get(uid)
        if known is None or known[0] != generation:
            known = self._refers[uid] = (generation, references_of(rollout))
        return known[1]

    def _forget(self, old: Obj | None, new: Obj | None) -> None:
        if old is not None and new is None:
            self._refers.pop(uid_of(old), None)

    def watches(self) -> tuple[Watch, ...]:
        of = self._caches.of
        owned = [Watch(of(kind), owners_of(self._rollouts)) for kind in (REPLICA_SET, ANALYSIS_RUN, EXPERIMENT)]
        referred = [Watch(of(kind), self._referrers(kind)) for kind in REFERRED if kind in self._served]
        templates = [Watch(of(kind), self._neighbours) for kind in (ANALYSIS_TEMPLATE, CLUSTER_ANALYSIS_TEMPLATE)]
        slices = Watch(of(ENDPOINT_SLICE), _each(self._rollouts, lambda one, obj: _serves(obj, self._references(one))))
        return (Watch(self._rollouts, itself), *owned, *referred, *templates, Watch(of(POD), self._of_pod), slices)

    async def decide(self, key: Key, now: datetime) -> Plan:
        found = self._rollouts.get(key)
        released = self._released(key, found)
        if found is None:
            return Plan(released)
        reference = (found.get("spec") or {}).get("workloadRef") or {}
        kind = UNWATCHED.get(reference.get("kind", ""))
        if kind is None:
            plan = decide(self._inputs(found, None), now)
            return replace(plan, actions=(*released, *plan.actions))
        plan = decide(self._inputs(found, await self._asked(kind, key.namespace, reference.get("name", ""))), now)
        later = now + LOOK_AGAIN
        return replace(plan, actions=(*released, *plan.actions), wake_at=min(later, plan.wake_at or later))

    def _released(self, key: Key, rollout: Obj | None) -> tuple[Action, ...]:
        """Give Services back that the Rollout managed and that it, or the Rollout itself, is no longer about."""
        refers = references_of(rollout) if rollout is not None else None
        ours = (
            one
            for one in self._caches.of(SERVICE).by_namespace(key.namespace)
            if annotations_of(one).get(MANAGED_BY) == key.name
        )
        return tuple(release(one) for one in ours if refers is None or not refers.means(SERVICE, one))

    async def _asked(self, kind: Kind, namespace: str, name: str) -> Obj | None:
        try:
            return await self._caches.client.get(kind, namespace, name)
        except NotFound:
            return None

    def _inputs(self, rollout: Obj, workload: Obj | None) -> Inputs:
        of = self._caches.of
        namespace, uid = key_of(rollout).namespace, uid_of(rollout)
        refers = self._references(rollout)
        sets = self._caches.owned(REPLICA_SET, rollout)
        return Inputs(
            rollout,
            replica_sets=sets,
            pods=tuple(pod for rs in sets for pod in of(POD).by_owner(uid_of(rs))),
            services=self._named(SERVICE, refers),
            routes=self._routes(refers),
            ingresses=self._named(INGRESS, refers),
            splits=self._named(TRAFFIC_SPLIT, refers),
            runs=tuple(of(ANALYSIS_RUN).by_owner(uid)),
            experiments=tuple(of(EXPERIMENT).by_owner(uid)),
            templates=Templates(
                {key_of(obj).name: obj for obj in of(ANALYSIS_TEMPLATE).by_namespace(namespace)},
                {key_of(obj).name: obj for obj in of(CLUSTER_ANALYSIS_TEMPLATE).items()},
            ),
            workload=workload or self._workload(refers),
            slices=tuple(one for one in of(ENDPOINT_SLICE).by_namespace(namespace) if _serves(one, refers)),
        )

    def _named(self, kind: Kind, refers: References) -> dict[str, Obj]:
        if kind not in self._served:
            return {}
        found = {key.name: self._caches.of(kind).get(key) for key in refers.names.get(kind, ())}
        return {name: obj for name, obj in found.items() if obj is not None}

    def _routes(self, refers: References) -> tuple[Obj, ...]:
        kinds = [kind for kind in (HTTP_ROUTE, GRPC_ROUTE) if kind in self._served]
        found = [obj for kind in kinds for obj in self._caches.of(kind).items() if refers.means(kind, obj)]
        return tuple(sorted(found, key=lambda obj: (obj["kind"], *_order(obj))))

    def _workload(self, refers: References) -> Obj | None:
        for obj in self._caches.of(DEPLOYMENT).by_namespace(refers.namespace):
            if refers.means(DEPLOYMENT, obj):
                return obj
        return None

    def _referrers(self, kind: Kind) -> Keys:
        """The Rollouts that refer to an object of that kind, as it was or as it is."""
        return _each(self._rollouts, lambda rollout, obj: self._references(rollout).means(kind, obj))

    @property
    def _neighbours(self) -> Keys:
        """The Rollouts that may use a template: all of its namespace, or all."""
        return _each(self._rollouts, lambda rollout, obj: key_of(obj).namespace in ("", key_of(rollout).namespace))

    def _of_pod(self, old: Obj | None, new: Obj | None) -> Iterable[Key]:
        owner = owner_keys(self._rollouts)
        pod = new or old
        reference = controller_of(pod) if pod is not None else None
        if pod is None or reference is None:
            return
        replica_set = self._caches.of(REPLICA_SET).get(Key(key_of(pod).namespace, reference["name"]))
        if replica_set is not None:
            yield from owner(replica_set)


def _serves(endpoint_slice: Obj, refers: References) -> bool:
    """Whether an EndpointSlice belongs to one of a Rollout's Services."""
    key = Key(key_of(endpoint_slice).namespace, labels_of(endpoint_slice).get(SERVICE_NAME, ""))
    return key in refers.names[SERVICE]


def _order(obj: Obj) -> tuple[str, str]:
    return key_of(obj).namespace, key_of(obj).name


def _each(rollouts: Informer, is_meant: Callable[[Obj, Obj], bool]) -> Keys:
    def keys(old: Obj | None, new: Obj | None) -> Iterable[Key]:
        changed = [obj for obj in (old, new) if obj is not None]
        return {key_of(rollout) for rollout in rollouts.items() if any(is_meant(rollout, obj) for obj in changed)}

    return keys
