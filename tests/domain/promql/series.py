"""Series that make queries disagree: resets, gaps, a late start, NaN, infinities, uneven times."""

import math

from drumroll.domain.promql.values import Series, label, labels_from

BASE = 1_700_000_000_000
BOUNDS = ("0.1", "0.25", "0.5", "1", "+Inf")


class Fixed:
    """A storage of given series."""

    def __init__(self, series):
        self._series = list(series)

    def select(self, matchers):
        return [s for s in self._series if all(m.matches(label(s.labels, m.name)) for m in matchers)]

    def series(self, selectors, start, end):
        found = [s for matchers in selectors or [()] for s in self.select(matchers)]
        within = [s for s in found if any(start <= at <= end for at in s.times)]
        return sorted({s.labels for s in within})

    def families(self):
        return {"load": ("gauge", "How much there is to do.")}


def made(name, times, values, **labels):
    return Series(labels_from({"__name__": name, **labels}.items()), list(times), list(values))


def every(seconds, first=0, last=900):
    return range(BASE + first * 1000, BASE + last * 1000 + 1, seconds * 1000)


def requests():
    shop = {"namespace": "shop", "service": "front"}
    steady = every(5)
    yield made("requests_total", steady, [7.0 * n for n in range(len(steady))], revision="old", code="200", **shop)
    yield made(
        "requests_total", steady, [float(n // 9) for n in range(len(steady))], revision="old", code="500", **shop
    )
    late = every(5, first=300)
    yield made("requests_total", late, [3.0 * n for n in range(len(late))], revision="new", code="200", **shop)
    reset = [float((n * 2) % 83) for n in range(len(late))]
    yield made("requests_total", late, reset, revision="new", code="500", **shop)
    gap = [at for at in steady if not BASE + 200_000 < at < BASE + 620_000]
    yield made(
        "requests_total", gap, [float(n * n) for n in range(len(gap))], revision="old", code="404", service="back"
    )


def histograms():
    times = every(5)
    for revision, slow in (("old", 0.1), ("new", 0.4)):
        for at, bound in enumerate(BOUNDS):
            share = min(1.0, (1 - slow) * (at + 1) / 3) if bound != "+Inf" else 1.0
            counts = [float(math.floor(10 * n * share)) for n in range(len(times))]
            yield made("duration_bucket", times, counts, revision=revision, le=bound)


def gauges():
    times = every(15)
    yield made("load", times, [math.sin(n / 3) * 100 for n in range(len(times))], host="a", rack="1")
    yield made("load", times, [50.0 - n for n in range(len(times))], host="b", rack="1")
    odd = [math.nan if n % 7 == 3 else 2.5 if n % 2 else math.inf for n in range(len(times))]
    yield made("load", times, odd, host="c", rack="2")
    yield made("capacity", times, [200.0] * len(times), rack="1", owner="x")
    yield made("capacity", times, [80.0] * len(times), rack="2", owner="y")
    yield made("constant", [BASE + 17_000, BASE + 90_500, BASE + 91_250, BASE + 400_000], [5.0, 5.0, 5.0, 5.0])
    yield made("early", [BASE, BASE + 1000], [1.0, 2.0], kind="gone")
    yield made("tiny", every(60), [1e-9 * n for n in range(16)], path='a\\b"c')
    yield made("huge", every(60), [3.7e22 * n for n in range(16)])


def everything():
    return [*requests(), *histograms(), *gauges()]


def as_openmetrics(series):
    """For promtool; samples of one family stand together, each series in the order of time."""
    lines = []
    for one in sorted(series, key=lambda s: s.labels):
        name = label(one.labels, "__name__")
        pairs = ",".join(
            f'{key}="{value.replace(chr(92), chr(92) * 2).replace(chr(34), chr(92) + chr(34))}"'
            for key, value in one.labels
            if key != "__name__"
        )
        lines += [f"{name}{{{pairs}}} {v!r} {at / 1000}" for at, v in zip(one.times, one.values, strict=True)]
    return "\n".join([*lines, "# EOF", ""])
