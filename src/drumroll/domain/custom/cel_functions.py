"""What Kubernetes adds to the expression language: lists, regular expressions, URLs, addresses, quantities, sets.

Quantities, URLs, addresses and networks are texts in their canonical form, so equality is that of what they mean.
Missing: comprehensions over two variables, `indexOf` and `lastIndexOf` of lists, `format.*`, semver, the authorizer.
Source: apiserver pkg/cel/library.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from ipaddress import ip_address, ip_interface, ip_network
from itertools import pairwise
from typing import Any
from urllib.parse import SplitResult, parse_qs, urlsplit

from drumroll.objects.quantity import canonical, parse_quantity


@dataclass(frozen=True, slots=True)
class Function:
    """One overload: its name, its unique id, types by their names (LIST is a list of anything), and the call."""

    name: str
    id: str
    result: str
    parameters: tuple[str, ...]
    call: Callable[..., Any]
    is_member: bool = True


def _url(text: str) -> SplitResult:
    found = urlsplit(text)
    if not (found.scheme and (found.netloc or found.path)) and not text.startswith("/"):
        raise ValueError(f"URL parse error during conversion from string: {text!r}")
    return found


def _is(make: Callable[[str], Any]) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        try:
            make(text)
        except (ValueError, ArithmeticError):
            return False
        return True

    return check


def _plain(items: Any) -> list[Any]:
    return [item.value() if hasattr(item, "plain_value") else item for item in items]


def _find(text: str, pattern: str) -> str:
    found = re.search(pattern, text)
    return found[0] if found else ""


def _find_all(text: str, pattern: str, most: int = -1) -> list[str]:
    found = [match[0] for match in re.finditer(pattern, text)]
    return found if most < 0 else found[:most]


def _is_sorted(items: Any) -> bool:
    values = _plain(items)
    return all(one <= other for one, other in pairwise(values))


def _sum(items: Any) -> Any:
    return sum(_plain(items))


def _canonical_network(text: str) -> str:
    if "/" not in text:
        raise ValueError(f"network address parse error: {text!r}")
    return str(ip_interface(text).with_prefixlen)


def _contains_address(network: str, address: str) -> bool:
    return ip_address(address) in ip_network(network, strict=False)


def _compare(one: str, other: str) -> int:
    left, right = parse_quantity(one), parse_quantity(other)
    return (left > right) - (left < right)


def _add(one: str, other: str) -> str:
    return canonical(str(Decimal(parse_quantity(one)) + Decimal(parse_quantity(other))))


def _sub(one: str, other: str) -> str:
    return canonical(str(Decimal(parse_quantity(one)) - Decimal(parse_quantity(other))))


def _subset(some: Any, others: Any) -> bool:
    all_of = _plain(others)
    return all(item in all_of for item in _plain(some))


def _host(text: str) -> str:
    return _url(text).netloc.rpartition("@")[2]


_S, _L = ("STRING",), ("LIST",)
FUNCTIONS = (
    Function("isSorted", "list_is_sorted", "BOOL", _L, _is_sorted),
    Function("sum", "list_sum", "DYN", _L, _sum),
    Function("min", "list_min", "DYN", _L, lambda items: min(_plain(items))),
    Function("max", "list_max", "DYN", _L, lambda items: max(_plain(items))),
    Function("find", "string_find", "STRING", _S * 2, _find),
    Function("findAll", "string_find_all", "LIST", _S * 2, _find_all),
    Function("findAll", "string_find_some", "LIST", (*_S * 2, "INT"), _find_all),
    Function("sets.contains", "sets_contains", "BOOL", _L * 2, lambda a, b: _subset(b, a), False),
    Function("sets.equivalent", "sets_equal", "BOOL", _L * 2, lambda a, b: _subset(a, b) and _subset(b, a), False),
    Function(
        "sets.intersects", "sets_meet", "BOOL", _L * 2, lambda a, b: any(x in _plain(b) for x in _plain(a)), False
    ),
    Function("isURL", "is_url", "BOOL", _S, _is(_url), False),
    Function("url", "to_url", "STRING", _S, lambda text: _url(text).geturl(), False),
    Function("getScheme", "url_scheme", "STRING", _S, lambda text: _url(text).scheme),
    Function("getHost", "url_host", "STRING", _S, _host),
    Function("getHostname", "url_hostname", "STRING", _S, lambda text: _url(text).hostname or ""),
    Function("getPort", "url_port", "STRING", _S, lambda text: str(_url(text).port or "")),
    Function("getEscapedPath", "url_path", "STRING", _S, lambda text: _url(text).path),
    Function("getQuery", "url_query", "DYN", _S, lambda text: parse_qs(_url(text).query, keep_blank_values=True)),
    Function("isIP", "is_ip", "BOOL", _S, _is(ip_address), False),
    Function("ip", "to_ip", "STRING", _S, lambda text: str(ip_address(text)), False),
    Function("family", "ip_family", "INT", _S, lambda text: ip_address(text).version),
    Function("isLoopback", "ip_is_loopback", "BOOL", _S, lambda text: ip_address(text).is_loopback),
    Function("isUnspecified", "ip_is_unspecified", "BOOL", _S, lambda text: ip_address(text).is_unspecified),
    Function("isLinkLocalUnicast", "ip_is_local", "BOOL", _S, lambda text: ip_address(text).is_link_local),
    Function("isCIDR", "is_cidr", "BOOL", _S, _is(_canonical_network), False),
    Function("cidr", "to_cidr", "STRING", _S, _canonical_network, False),
    Function("containsIP", "cidr_contains_ip", "BOOL", _S * 2, _contains_address),
    Function("prefixLength", "cidr_length", "INT", _S, lambda text: ip_network(text, strict=False).prefixlen),
    Function("isQuantity", "is_quantity", "BOOL", _S, _is(canonical), False),
    Function("quantity", "to_quantity", "STRING", _S, canonical, False),
    Function(
        "isInteger", "quantity_is_integer", "BOOL", _S, lambda text: parse_quantity(text) == int(parse_quantity(text))
    ),
    Function("asInteger", "quantity_as_integer", "INT", _S, lambda text: int(parse_quantity(text))),
    Function("asApproximateFloat", "quantity_as_float", "DOUBLE", _S, lambda text: float(parse_quantity(text))),
    Function("sign", "quantity_sign", "INT", _S, lambda text: _compare(text, "0")),
    Function("compareTo", "quantity_compare", "INT", _S * 2, _compare),
    Function("isGreaterThan", "quantity_more", "BOOL", _S * 2, lambda a, b: _compare(a, b) > 0),
    Function("isLessThan", "quantity_less", "BOOL", _S * 2, lambda a, b: _compare(a, b) < 0),
    Function("add", "quantity_add", "STRING", _S * 2, _add),
    Function("sub", "quantity_sub", "STRING", _S * 2, _sub),
)
"""Every overload beyond the standard ones."""
