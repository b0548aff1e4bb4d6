"""Ledgers and timelines written by hand."""

from drumroll.demo.report import Facts
from drumroll.demo.timeline import Limits, Sample, Set, Timeline
from drumroll.load.ledger import Entry, Ledger

START = 1000.0
LIMITS = Limits(4, 1, 1)


def sample(at, old, new):
    """`old` and `new` are (desired, current, ready, ending)."""
    sets = [Set("aaaa", "0.0.1", *old), Set("bbbb", "0.0.2", *new)]
    return Sample(START + at, tuple(one for one in sets if one.desired or one.current or one.ending))


def good_timeline():
    samples = [
        sample(-1, (4, 4, 4, 0), (0, 0, 0, 0)),
        sample(2.0, (3, 3, 3, 1), (2, 2, 0, 0)),
        sample(3.0, (1, 1, 1, 2), (4, 4, 2, 0)),
        sample(4.0, (0, 0, 0, 1), (4, 4, 4, 0)),
        sample(5.0, (0, 0, 0, 0), (4, 4, 4, 0)),
    ]
    return Timeline(samples, [(START + 2.0, "update to 0.0.2"), (START + 4.1, "updated")])


def good_ledger(seconds=6.0, rate=100):
    ledger = Ledger(START, seconds)
    for number in range(int(seconds * rate)):
        at = number / rate
        version = "0.0.1" if at < 3 or (at < 4 and number % 2) else "0.0.2"
        ledger.add(Entry(at, "status", "new" if number % 3 else "kept-alive", 0.002, "answered", "", version, "p"))
    return ledger


def good_facts(**changes):
    facts = {
        "title": "Storefront, 4 replicas, updated",
        "ledger": good_ledger(),
        "timeline": good_timeline(),
        "limits": LIMITS,
    }
    return Facts(**{**facts, **changes})
