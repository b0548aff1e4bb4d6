"""The schema of TrafficSplit. Source: smi-spec apis/traffic-split, its versions v1alpha1 to v1alpha4."""

from drumroll.domain.custom.installed.shapes import STRING, many, resource, shape
from drumroll.objects.custom import INT_OR_STRING

_WEIGHT = {
    INT_OR_STRING: True,
    "anyOf": [{"type": "integer"}, {"type": "string"}],
    "pattern": r"^[0-9]+(\.[0-9]+)?m?$",
}
SCHEMA = resource(
    shape(
        {
            "service!": (STRING, "The Service whose traffic is split."),
            "backends!": (
                many(
                    shape(
                        {"service!": STRING, "weight!": (_WEIGHT, "The share, as a number or a quantity such as 500m.")}
                    )
                ),
                "The Services that it is split among.",
            ),
            "matches": many(shape({"apiGroup": STRING, "kind!": STRING, "name!": STRING})),
        }
    ),
    None,
    "A TrafficSplit splits the traffic to a Service among others, by weight.",
    needs="",
)
