"""What a Comparison asks for, read and checked."""

from dataclasses import dataclass, field

from drumroll.domain.comparison.answers import Rules, ignoring
from drumroll.objects.meta import Key, Obj, key_of, uid_of


@dataclass(frozen=True, slots=True)
class Wish:
    """A comparison as asked for; `faults` keep it from running."""

    key: Key
    uid: str
    generation: int
    route: str
    primary: str
    shadow: str
    percent: int = 100
    rules: Rules = field(default_factory=Rules)
    faults: tuple[str, ...] = ()


def read(comparison: Obj) -> Wish:
    """The wish of a Comparison; never raises, whatever the object holds."""
    spec, meta = comparison.get("spec") or {}, comparison["metadata"]
    wanted = spec.get("compare") or {}
    route = (spec.get("routeRef") or {}).get("name") or ""
    primary, shadow = ((spec.get(name) or {}).get("service") or "" for name in ("primary", "shadow"))
    named = {"routeRef.name": route, "primary.service": primary, "shadow.service": shadow}
    faults = [f"spec.{field}: is missing" for field, value in named.items() if not value]
    if primary and primary == shadow:
        faults.append(f"spec.shadow.service: {shadow!r} is the primary too; a comparison needs two Services")
    percent = spec.get("percent", 100)
    if not 1 <= percent <= 100:
        faults.append(f"spec.percent: {percent} must be 1 to 100")
    try:
        ignored = ignoring(wanted.get("ignore") or ())
    except ValueError as error:
        faults.append(f"spec.compare.ignore: {error}")
        ignored = ()
    headers = tuple(wanted.get("headers") or ())
    rules = Rules(wanted.get("status", True), wanted.get("body", True), headers, ignored)
    who = key_of(comparison), uid_of(comparison), meta.get("generation") or 0
    return Wish(*who, route, primary, shadow, percent, rules, tuple(faults))
