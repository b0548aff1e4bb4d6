"""Headers carried in baggage: which are, and which requests a Service's rule takes by their notes."""

import re

import pytest

from drumroll.domain.gateway.carrying import pattern_of, with_carried
from drumroll.domain.gateway.model import Action, Match, NamedMatch, RouteId, Rule, Table, VirtualHost
from drumroll.objects.meta import Key

OWNER = RouteId("HTTPRoute", Key("default", "r"))


def table(name, *headers, port=0, regex=False):
    match = Match(headers=tuple(NamedMatch(n, v, regex) for n, v in headers))
    return Table(name, (VirtualHost("*", (Rule(OWNER, match, Action()),)),), port=port)


def headers_of(made):
    return [tuple((h.name, h.value) for h in rule.match.headers) for host in made.hosts for rule in host.rules]


def test_a_service_that_asks_for_a_header_also_takes_its_note():
    found = with_carried({"mesh": table("mesh", ("X-Version", "b")), "edge": table("edge", port=80)})
    assert headers_of(found["mesh"]) == [(("X-Version", "b"),), (("baggage", pattern_of("x-version", "b")),)]
    assert headers_of(found["edge"]) == [()]
    assert found["edge"].carried == found["mesh"].carried == ("x-version",)


@pytest.mark.parametrize(
    "made",
    [
        table("edge", ("x-version", "b"), port=80),  # only Services' rules are deep in a chain
        table("mesh", ("x-version", "b.*"), regex=True),
        table("mesh", ("Authorization", "secret")),
        table("mesh", ("cookie", "a=b")),
        table("mesh", ("x-version", "b"), ("cookie", "a=b")),
        table("mesh"),
    ],
)
def test_what_is_not_carried(made):
    found = with_carried({made.name: made})
    assert found == {made.name: made}


@pytest.mark.parametrize(
    ("baggage", "is_taken"),
    [
        ("x-version=b", True),
        ("a=1,x-version=b", True),
        ("a=1, X-Version = b ;ttl=3, c=2", True),
        ("x-version=bb", False),
        ("x-version=", False),
        ("ax-version=b", False),
        ("a=x-version=b", False),
        ("", False),
    ],
)
def test_notes_are_read_as_baggage(baggage, is_taken):
    assert bool(re.fullmatch(pattern_of("x-version", "b"), baggage)) is is_taken


def test_values_are_noted_in_the_form_of_urls():
    assert re.fullmatch(pattern_of("x", "a b,c"), "x=a%20b%2Cc")
