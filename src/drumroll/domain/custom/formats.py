"""The string formats that schemas may ask for; others are not checked. Source: kube-openapi pkg/validation/strfmt."""

import re
from base64 import b64decode
from collections.abc import Callable, Mapping
from datetime import datetime
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from urllib.parse import urlsplit

_DATE_TIME = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:(?:\d\d|60)(?:[.,]\d+)?(?:[Zz]|[+-]\d\d:?\d\d)|\d{4}-\d\d-\d\d[Tt]\d\d:\d\d(?::\d\d)?"
)
_DURATION = re.compile(r"[-+]?(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h|d|w))+|0")
_HOST = re.compile(
    r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9\-]{0,61}[a-zA-Z0-9])?\.)*[a-zA-Z0-9](?:[a-zA-Z0-9\-]{0,61}[a-zA-Z0-9])?"
)
_MAIL = re.compile(r"[^@\s<>]+@[^@\s<>]+")
_UUID = re.compile(r"(?i)[0-9a-f]{8}-?[0-9a-f]{4}-?%s[0-9a-f]{3}-?[0-9a-f]{4}-?[0-9a-f]{12}".replace("%s", "[0-9a-f]"))


def _parses(make: Callable[[str], object]) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        try:
            make(text)
        except ValueError:
            return False
        return True

    return check


def _fits(pattern: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda text: pattern.fullmatch(text) is not None


def _date(text: str) -> None:
    datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007 - a date has no zone


def _bytes(text: str) -> None:
    b64decode(text, validate=True)


def _uri(text: str) -> None:
    if not urlsplit(text).scheme and not text.startswith("/"):
        raise ValueError(text)


def _cidr(text: str) -> None:
    if "/" not in text:
        raise ValueError(text)
    (IPv6Network if ":" in text else IPv4Network)(text, strict=False)


FORMATS: Mapping[str, Callable[[str], bool]] = {
    "date-time": _fits(_DATE_TIME),
    "datetime": _fits(_DATE_TIME),
    "date": _parses(_date),
    "duration": _fits(_DURATION),
    "byte": _parses(_bytes),
    "uri": _parses(_uri),
    "hostname": _fits(_HOST),
    "email": _fits(_MAIL),
    "ipv4": _parses(IPv4Address),
    "ipv6": _parses(IPv6Address),
    "cidr": _parses(_cidr),
    "uuid": _fits(_UUID),
    "mac": _fits(re.compile(r"(?i)(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}")),
}
"""By format: whether a text is of it."""
