"""Performs what decisions ask for: the only place where controllers write."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import assert_never

from drumroll.client.client import Client
from drumroll.client.events import EventRecorder
from drumroll.domain.actions import (
    Action,
    Adopt,
    Create,
    Delete,
    DeleteAll,
    Evict,
    Notice,
    Patch,
    Plan,
    Record,
    Together,
    Update,
    is_namespace_terminating,
)
from drumroll.objects import wire
from drumroll.objects.errors import AlreadyExists, ApiError, Conflict, NotFound, TooManyRequests
from drumroll.objects.kinds import POD, Kind, kind_of
from drumroll.objects.meta import Key, Obj, is_deleting, key_of, owner_reference, uid_of

log = logging.getLogger("drumroll.reconcile")

AT_ONCE = 32  # writes of one group under way at the same time; of 64, one turn of the loop took 6 ms longer


@dataclass(slots=True)
class Outcome:
    """What a plan's actions came to: the revisions and deletions to wait for, and what failed."""

    revisions: dict[Kind, int] = field(default_factory=dict)
    deleted: list[tuple[Kind, Key, str]] = field(default_factory=list)
    failures: list[ApiError] = field(default_factory=list)

    def wrote(self, kind: Kind, obj: Obj) -> None:
        """Note a write by the object that the server answered with."""
        revision = int((obj.get("metadata") or {}).get("resourceVersion") or 0)
        self.revisions[kind] = max(self.revisions.get(kind, 0), revision)


class Performer:
    """Performs plans in the name of one controller."""

    def __init__(self, client: Client, recorder: EventRecorder) -> None:
        self._client = client
        self._recorder = recorder

    async def perform(self, plan: Plan) -> Outcome:
        """Do the plan's actions in order, up to the first failure, and then what it wants to settle."""
        outcome = Outcome()
        await self._in_order(plan.actions, outcome)
        if plan.settle is not None:
            await self._in_order(plan.settle(tuple(outcome.failures)), outcome)
        return outcome

    async def _in_order(self, actions: Sequence[Action], outcome: Outcome) -> None:
        before = len(outcome.failures)
        for action in actions:
            if isinstance(action, Together):
                await self._together(action, outcome)
            else:
                await self._one(action, outcome)
            if len(outcome.failures) > before:
                return

    async def _together(self, group: Together, outcome: Outcome) -> None:
        if len(group.actions) == 1:
            await self._one(group.actions[0], outcome)
            return
        waiting = iter(group.actions)

        async def work() -> None:
            for action in waiting:  # the iterator is shared: each worker takes what is next
                await self._one(action, outcome)

        async with asyncio.TaskGroup() as workers:
            for _ in range(min(AT_ONCE, len(group.actions))):
                workers.create_task(work())

    async def _one(self, action: Action, outcome: Outcome) -> None:
        try:
            await self._attempt(action, outcome)
        except ApiError as error:
            notice = action.notice if isinstance(action, Create | Delete) else None
            if notice is not None and not isinstance(error, AlreadyExists) and not is_namespace_terminating(error):
                reason, message = notice.failed
                self._recorder.record(notice.about, "Warning", reason, message.replace("{error}", error.message))
            outcome.failures.append(error)

    async def _attempt(self, action: Action, outcome: Outcome) -> None:
        match action:
            case Create():
                await self._create(action, outcome)
            case Update(obj, subresource):
                outcome.wrote(kind_of(obj), await self._client.update(obj, subresource=subresource))
                log.debug("updated kind=%s key=%s", obj["kind"], key_of(obj))
            case Patch():
                await self._patch(action, outcome)
            case Adopt():
                await self._adopt(action, outcome)
            case Delete():
                await self._delete(action, outcome)
            case Evict():
                await self._evict(action, outcome)
            case DeleteAll(kind, namespace):
                await self._client.delete_collection(kind, namespace)
                log.info("deleted_all kind=%s namespace=%s", kind.name, namespace)
            case Record(about, kind_of_event, reason, message):
                self._recorder.record(about, kind_of_event, reason, message)
            case Together():
                raise ValueError("groups are not nested")
            case _:
                assert_never(action)

    async def _create(self, action: Create, outcome: Outcome) -> None:
        created = await self._client.create(action.obj)
        outcome.wrote(kind_of(action.obj), created)
        log.info("created kind=%s key=%s", action.obj["kind"], key_of(created))
        self._tell(action.notice, key_of(created))

    async def _patch(self, action: Patch, outcome: Outcome) -> None:
        kind, key = action.kind, action.key
        try:
            patched = await self._client.patch(
                kind,
                key.namespace,
                key.name,
                action.patch,
                subresource=action.subresource,
                content_type=action.content_type,
            )
        except NotFound:
            return  # gone by itself; whoever needs to know is told by the watch
        outcome.wrote(kind, patched)
        log.debug("patched kind=%s key=%s subresource=%s", kind.name, key, action.subresource)

    async def _adopt(self, action: Adopt, outcome: Outcome) -> None:
        owner = key_of(action.owner)
        fresh = await self._client.get(kind_of(action.owner), owner.namespace, owner.name)
        if uid_of(fresh) != uid_of(action.owner) or is_deleting(fresh):
            raise Conflict(f"{action.owner['kind']} {owner} is not the one that it was, or is being deleted")
        meta = {"uid": action.uid, "ownerReferences": [owner_reference(action.owner)]}
        content = wire.STRATEGIC_MERGE_PATCH
        await self._patch(Patch(action.kind, action.key, {"metadata": meta}, content_type=content), outcome)
        log.info("adopted kind=%s key=%s owner=%s", action.kind.name, action.key, owner)

    async def _delete(self, action: Delete, outcome: Outcome) -> None:
        kind, key = action.kind, action.key
        try:
            await self._client.delete(
                kind, key.namespace, key.name, uid=action.uid, propagation_policy=action.propagation_policy
            )
        except NotFound:
            return
        except Conflict:  # the name belongs to another object by now
            log.info("delete_superseded kind=%s key=%s", kind.name, key)
            return
        outcome.deleted.append((kind, key, action.uid))
        log.info("deleted kind=%s key=%s", kind.name, key)
        self._tell(action.notice, key)

    async def _evict(self, action: Evict, outcome: Outcome) -> None:
        key = action.key
        meta = {"namespace": key.namespace, "name": key.name}
        asked = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": meta}
        options = {"deleteOptions": {"preconditions": {"uid": action.uid}}}
        try:
            await self._client.create({**asked, **options}, subresource="eviction")
        except (NotFound, Conflict):
            return
        except TooManyRequests as refusal:
            log.debug("eviction_refused key=%s message=%s", key, refusal.message)
            return
        outcome.deleted.append((POD, key, action.uid))
        log.info("evicted key=%s", key)

    def _tell(self, notice: Notice | None, key: Key) -> None:
        if notice is not None and notice.done[0]:
            reason, message = notice.done
            self._recorder.record(notice.about, "Normal", reason, message.replace("{name}", key.name))
