"""Which provider a metric has, and what those that there are not would say."""

import csv
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from drumroll.domain.analysis.measurement import Reading
from drumroll.domain.analysis.metrics import provider_of
from drumroll.objects.meta import Obj
from drumroll.rollouts.providers import comparison, datadog, newrelic, prometheus, series, web
from drumroll.rollouts.providers.asking import Asked, ProviderError

Read: TypeAlias = Callable[[Any, Asked], Awaitable[Reading]]

PROVIDERS: Mapping[str, Read] = {
    "prometheus": prometheus.read,
    "web": web.read,
    "datadog": datadog.read,
    "newRelic": newrelic.read,
    "graphite": series.read_graphite,
    "influxdb": series.read_influxdb,
    "skywalking": series.read_skywalking,
    comparison.NAME: comparison.read,
}

INSTEAD = {
    "job": "Jobs do not run here yet; a web metric can ask a program that does the check",
    "kayenta": f"the plugin {comparison.NAME} compares a canary with the stable version here",
    "wavefront": "a web metric can ask its API",
    "cloudWatch": "a web metric can ask a program that has the credentials, or use Prometheus's CloudWatch exporter",
}
"""What to use in the place of providers of the original that are not here."""


UNREADABLE = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError, csv.Error)
"""What an answer raises that a provider does not reckon with: numbers too large, lists too deep, and so on."""


async def measure(metric: Obj, asked: Asked) -> Reading:
    """Take one measurement; `metric` has all its arguments resolved. What goes wrong is told in the reading."""
    name, settings = provider_of(metric)
    found = PROVIDERS.get(name)
    if found is None:
        return Reading(error=_missing(name))
    try:
        return await found(settings or {}, asked)
    except ProviderError as error:
        return Reading(error=str(error))
    except UNREADABLE as error:  # else the run would never end, and nobody would know why
        return Reading(error=f"the answer is not as {name} has it: {error}")


def _missing(name: str) -> str:
    known = ", ".join(sorted(PROVIDERS))
    if name in INSTEAD:
        return f"provider {name} is not supported: {INSTEAD[name]}. Supported are {known}"
    return f"there is no metric plugin {name} here. Supported are {known}"
