"""The controller of ABTest: asks for figures when they are due, and carries out what the course of the test says."""

from collections.abc import Iterable
from datetime import datetime

from drumroll.domain.abtest import course, spec
from drumroll.domain.actions import NOTHING, Plan
from drumroll.objects.kinds import AB_TEST, HTTP_ROUTE
from drumroll.objects.meta import Key, Obj, key_of
from drumroll.reconcile.caches import Caches
from drumroll.reconcile.loop import Controller, Watch
from drumroll.reconcile.owners import itself
from drumroll.rollouts.goals import figures_of
from drumroll.rollouts.providers.asking import Web


def abtest_controller(caches: Caches, web: Web) -> Controller:
    """Splits the users of a route in two and decides which half does better."""
    tests, routes = caches.of(AB_TEST), caches.of(HTTP_ROUTE)

    def of_route(old: Obj | None, new: Obj | None) -> Iterable[Key]:
        changed = key_of(new or old or {})
        for test in tests.by_namespace(changed.namespace):
            if spec.read(test).route == changed.name:
                yield key_of(test)

    async def decide(key: Key, now: datetime) -> Plan:
        test = tests.get(key)
        if test is None:
            return NOTHING
        wish = spec.read(test)
        route = routes.get(Key(key.namespace, wish.route))
        figures = (
            await figures_of(caches.client, web, test, wish) if not wish.faults and course.is_due(test, now) else None
        )
        return course.decide(test, route, figures, now)

    return Controller("abtest", "abtest-controller", (Watch(tests, itself), Watch(routes, of_route)), decide)
