"""The rules for names, keys and values. Each returns what is wrong, in the original's words; nothing when all is well.

Names repeat (labels, namespaces, ports), so answers are remembered.
Source: apimachinery util/validation/validation.go and api/validate/content.
"""

import re
from functools import lru_cache
from ipaddress import ip_address, ip_interface
from typing import TypeAlias

Faults: TypeAlias = tuple[str, ...]

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_RFC_1035 = "[a-z]([-a-z0-9]*[a-z0-9])?"
_QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_VALUE = f"({_QUALIFIED})?"
_CONFIG_KEY = "[-._a-zA-Z0-9]+"
_PERCENT = "[0-9]+%"
_HEADER = "[-A-Za-z0-9]+"
_UNDERSCORED_LABEL = "_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
_UNDERSCORED = rf"{_UNDERSCORED_LABEL}(\.{_UNDERSCORED_LABEL})*"
_HTTP_PATH = r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+"
_ENDS = "and must start and end with an alphanumeric character"

_remembered = lru_cache(maxsize=16384)


def _worded(text: str, pattern: str, *examples: str) -> str:
    """The original's sentence for a value that a pattern refuses."""
    shown = " or ".join(f"'{example}', " for example in examples)
    return f"{text} (e.g. {shown}regex used for validation is '{pattern}')"


def _whole(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?:{pattern})\Z")


_LABEL_RE, _SUBDOMAIN_RE, _RFC_1035_RE = _whole(_LABEL), _whole(_SUBDOMAIN), _whole(_RFC_1035)
_QUALIFIED_RE, _VALUE_RE, _CONFIG_KEY_RE = _whole(_QUALIFIED), _whole(_VALUE), _whole(_CONFIG_KEY)
_PERCENT_RE, _HEADER_RE, _WILDCARD_RE = _whole(_PERCENT), _whole(_HEADER), _whole(rf"\*\.{_SUBDOMAIN}")

_NOT_LABEL = _worded(
    f"a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', {_ENDS}",
    _LABEL, "my-name", "123-abc",
)  # fmt: skip
_NOT_SUBDOMAIN = _worded(
    f"a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', {_ENDS}",
    _SUBDOMAIN, "example.com",
)  # fmt: skip
_NOT_UNDERSCORED = _worded(
    f"a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', {_ENDS}",
    _UNDERSCORED, "example.com",
)  # fmt: skip
_NOT_RFC_1035 = _worded(
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, "
    "and end with an alphanumeric character",
    _RFC_1035, "my-name", "abc-123",
)  # fmt: skip
_NOT_WILDCARD = _worded(
    "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of "
    "lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character",
    rf"\*\.{_SUBDOMAIN}", "*.example.com",
)  # fmt: skip
_QUALIFIED_RULE = _worded(
    f"must consist of alphanumeric characters, '-', '_' or '.', {_ENDS}",
    _QUALIFIED, "MyName", "my.name", "123-abc",
)  # fmt: skip
_NOT_VALUE = _worded(
    f"a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', {_ENDS}",
    _VALUE, "MyValue", "my_value", "12345",
)  # fmt: skip
_NOT_CONFIG_KEY = _worded(
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
    _CONFIG_KEY, "key.name", "KEY_NAME", "key-name",
)  # fmt: skip
_NOT_PERCENT = _worded(
    "a valid percent string must be a numeric string followed by an ending '%'", _PERCENT, "1%", "93%"
)
_NOT_HEADER = _worded("a valid HTTP header must consist of alphanumeric characters or '-'", _HEADER, "X-Header-Name")


def longer_than(most: int) -> str:
    """The original's words for a text that is too long."""
    return f"must be no more than {most} characters"


@_remembered
def label_faults(name: str) -> Faults:
    """RFC 1123 label: containers, volumes, namespaces, Services."""
    faults = (longer_than(63),) if len(name) > 63 else ()
    if _LABEL_RE.match(name):
        return faults
    return (*faults, "must not contain dots" if _SUBDOMAIN_RE.match(name) else _NOT_LABEL)


@_remembered
def subdomain_faults(name: str) -> Faults:
    """RFC 1123 subdomain: most objects' names."""
    faults = (longer_than(253),) if len(name) > 253 else ()
    return faults if _SUBDOMAIN_RE.match(name) else (*faults, _NOT_SUBDOMAIN)


@_remembered
def search_faults(name: str) -> Faults:
    """A domain of a DNS search list: a subdomain whose labels may have underscores."""
    faults = (longer_than(253),) if len(name) > 253 else ()
    return faults if _whole(_UNDERSCORED).match(name) else (*faults, _NOT_UNDERSCORED)


@_remembered
def rfc_1035_faults(name: str) -> Faults:
    """RFC 1035 label: as RFC 1123's, but it starts with a letter."""
    faults = (longer_than(63),) if len(name) > 63 else ()
    return faults if _RFC_1035_RE.match(name) else (*faults, _NOT_RFC_1035)


@_remembered
def host_faults(name: str) -> Faults:
    """A host of an Ingress: a subdomain, or one behind a wildcard."""
    if "*" not in name:
        return subdomain_faults(name)
    faults = (longer_than(253),) if len(name) > 253 else ()
    return faults if _WILDCARD_RE.match(name) else (*faults, _NOT_WILDCARD)


@_remembered
def qualified_faults(name: str) -> Faults:
    """A key of a label or annotation, a finalizer, a condition: an optional subdomain, "/", and a name."""
    parts = name.split("/")
    if len(parts) > 2:
        text = f"a qualified name {_QUALIFIED_RULE}"
        return (f"{text} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')",)
    faults: Faults = ()
    if len(parts) == 2:
        if not parts[0]:
            faults = ("prefix part must be non-empty",)
        else:
            faults = tuple(f"prefix part {fault}" for fault in subdomain_faults(parts[0]))
    local = parts[-1]
    if not local:
        faults = (*faults, "name part must be non-empty")
    elif len(local) > 63:
        faults = (*faults, f"name part {longer_than(63)}")
    return faults if _QUALIFIED_RE.match(local) else (*faults, f"name part {_QUALIFIED_RULE}")


@_remembered
def value_faults(value: str) -> Faults:
    """A label's value."""
    faults = (longer_than(63),) if len(value) > 63 else ()
    return faults if _VALUE_RE.match(value) else (*faults, _NOT_VALUE)


@_remembered
def port_name_faults(name: str) -> Faults:
    """An IANA service name."""
    faults = []
    if len(name) > 15:
        faults.append(longer_than(15))
    if not re.match(r"[-a-z0-9]+\Z", name):
        faults.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not re.search("[a-z]", name):
        faults.append("must contain at least one letter (a-z)")
    if "--" in name:
        faults.append("must not contain consecutive hyphens")
    if name.startswith("-") or name.endswith("-"):
        faults.append("must not begin or end with a hyphen")
    return tuple(faults)


@_remembered
def variable_faults(name: str) -> Faults:
    """The name of an environment variable: any printable ASCII but "="."""
    if not name:
        return ("environment variable name must be non-empty",)
    if name.isascii() and name.isprintable() and "=" not in name:
        return ()
    return ("a valid environment variable name must consist only of printable ASCII characters other than '='",)


@_remembered
def config_key_faults(key: str) -> Faults:
    """A key of a ConfigMap or Secret: it becomes a file name."""
    faults = [longer_than(253)] if len(key) > 253 else []
    if not _CONFIG_KEY_RE.match(key):
        faults.append(_NOT_CONFIG_KEY)
    if key == ".":
        faults.append("must not be '.'")
    elif key == "..":
        faults.append("must not be '..'")
    elif key.startswith(".."):
        faults.append("must not start with '..'")
    return tuple(faults)


def percent_faults(text: str) -> Faults:
    """A percentage as text: "25%"."""
    return () if _PERCENT_RE.match(text) else (_NOT_PERCENT,)


def header_faults(name: str) -> Faults:
    """The name of an HTTP header."""
    return () if _HEADER_RE.match(name) else (_NOT_HEADER,)


@_remembered
def address_faults(text: str) -> Faults:
    """An IP address, v4 or v6."""
    try:
        ip_address(text)
    except ValueError:
        return ("must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",)
    return ()


@_remembered
def range_faults(text: str) -> Faults:
    """A block of IP addresses: 10.9.8.0/24."""
    try:
        ip_interface(text)
    except ValueError:
        return ("must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)",)
    return () if "/" in text else ("must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)",)


@_remembered
def special_address_faults(text: str) -> Faults:
    """What an address that others should reach must not be. `text` is a valid address."""
    address = ip_address(text)
    faults = []
    if address.is_unspecified:
        faults.append(f"may not be unspecified ({text})")
    if address.is_loopback:
        faults.append("may not be in the loopback range (127.0.0.0/8, ::1/128)")
    if address.is_link_local:
        faults.append("may not be in the link-local range (169.254.0.0/16, fe80::/10)")
    if text.startswith(("224.0.0.", "ff02:")):
        faults.append("may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)")
    return tuple(faults)


@_remembered
def path_segment_faults(name: str) -> Faults:
    """A name that only has to fit into a URL."""
    if name in (".", ".."):
        return (f"may not be '{name}'",)
    return tuple(f"may not contain '{mark}'" for mark in ("/", "%") if mark in name)


@_remembered
def domain_path_faults(text: str) -> tuple[tuple[str, str], ...]:
    """A path behind a domain, such as "acme.io/foo": the part that is wrong, and what is wrong with it."""
    host, _, path = text.partition("/")
    if not host or not path:
        return ((text, 'must be a domain-prefixed path (such as "acme.io/foo")'),)
    faults = tuple((host, fault) for fault in subdomain_faults(host))
    if not _whole(_HTTP_PATH).match(path):
        return (*faults, (path, f"Invalid path (regex used for validation is '{_HTTP_PATH}')"))
    return faults
