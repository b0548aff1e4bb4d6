"""The schemas of Drumroll's own kinds: ABTest and Comparison."""

from drumroll.domain.custom.installed.shapes import (
    ANYTHING,
    BOOLEAN,
    INT64,
    NUMBER,
    STRING,
    STRING_MAP,
    STRINGS,
    TIME,
    chosen,
    column,
    many,
    resource,
    shape,
    whole,
)

_SERVICE = shape({"service!": (STRING, "A Service in the same namespace.")})
_FRACTION = {"type": "number"}
_REFERENCE = shape({"name!": STRING})
_QUERIES = shape(
    {
        "address": (STRING, "Of a Prometheus; the mesh's own figures without it."),
        "count!": (STRING, "How many users there were so far; {{service}} and {{variant}} stand for the variant's."),
        "total!": (STRING, "The sum of their values so far: for a yes-or-no goal, how many said yes."),
        "squares": (STRING, "The sum of the squares of their values; for goals that are amounts."),
    }
)
_PROVIDER = shape(
    {
        "web": shape(
            {
                "url!": (STRING, 'Answers {"control": {"count": 100, "total": 7}, "treatment": {…}}.'),
                "headers": many(shape({"key!": STRING, "value!": STRING})),
                "timeoutSeconds": whole(1, 300),
            }
        ),
        "prometheus": _QUERIES,
        "header": (
            shape({"value!": STRING}),
            "Answers with this value of the header x-drumroll-goal are conversions; the mesh counts them per request.",
        ),
        "log": (
            shape({"user!": STRING, "value!": STRING}),
            "Fields of the JSON lines that the variants' pods write: who, and with what value.",
        ),
    }
)
_SAMPLE = shape({"count": INT64, "total": NUMBER, "squares": NUMBER, "mean": NUMBER})

AB_TEST = resource(
    shape(
        {
            "routeRef!": (_REFERENCE, "The HTTPRoute whose users take part."),
            "control!": (_SERVICE, "What users get today; a backend of the route."),
            "treatment!": (_SERVICE, "What some of them get instead."),
            "percent": (whole(1, 99, default=50), "The part of the users who get the treatment."),
            "assignment": (
                shape(
                    {
                        "cookie": shape({"name": STRING, "maxAgeSeconds": whole(1)}),
                        "header": (_REFERENCE, "A header that already names the user."),
                    }
                ),
                "How a user stays with a variant: by a cookie of ours (default), or by a header.",
            ),
            "goal!": shape(
                {
                    "name": STRING,
                    "direction": chosen("Increase", "Decrease", default="Increase"),
                    "minimumEffect": (_FRACTION, "The smallest improvement worth having, such as 0.01 for a point."),
                    "interval": (STRING, "How often to look, such as 30s."),
                    "provider!": _PROVIDER,
                }
            ),
            "level": (_FRACTION, "The share of false alarms allowed over all looks together; 0.05 without it."),
            "limits": shape(
                {"minimumSample": whole(1), "maximumSample": whole(1), "maximumDuration": STRING},
            ),
            "onSuccess": (chosen("Keep", "Promote", default="Keep"), "Whether a success sends everybody there."),
            "rolloutRef": (_REFERENCE, "A Rollout to promote after a success and to abort otherwise."),
            "terminate": (BOOLEAN, "End the test now."),
        }
    ),
    shape(
        {
            "phase": STRING,
            "outcome": STRING,
            "message": STRING,
            "observedGeneration": INT64,
            "startedAt": TIME,
            "finishedAt": TIME,
            "lastLookAt": TIME,
            "looks": INT64,
            "counters": ANYTHING,
            "control": _SAMPLE,
            "treatment": _SAMPLE,
            "effect": NUMBER,
            "interval": shape({"low": NUMBER, "high": NUMBER}),
            "pValue": NUMBER,
        }
    ),
    "An ABTest shows two versions to different users and decides by a figure of the business which one is better.",
)
AB_TEST_COLUMNS = [
    column("Status", "string", ".status.phase"),
    column("Control", "number", ".status.control.mean", "The control's mean"),
    column("Treatment", "number", ".status.treatment.mean", "The treatment's mean"),
    column("Low", "number", ".status.interval.low", "The effect is at least this"),
    column("High", "number", ".status.interval.high", "The effect is at most this"),
    column("P", "number", ".status.pValue", "Valid at every look"),
    column("Message", "string", ".status.message", priority=1),
    column("Age", "date", ".metadata.creationTimestamp"),
]

COMPARISON = resource(
    shape(
        {
            "routeRef!": (_REFERENCE, "The HTTPRoute whose requests are copied."),
            "primary!": (_SERVICE, "Who answers the users; a backend of the route."),
            "shadow!": (_SERVICE, "Who gets the copies; the answers go nowhere."),
            "percent": (whole(1, 100, default=100), "The part of the requests that is copied."),
            "compare": (
                shape(
                    {
                        "status": {"type": "boolean", "default": True},
                        "body": {"type": "boolean", "default": True},
                        "headers": (STRINGS, "Headers that must be equal; no others are looked at."),
                        "ignore": (STRINGS, "Places in JSON bodies that may differ, such as items[*].id or **.time."),
                    }
                ),
                "What of the two answers is compared.",
            ),
        }
    ),
    shape(
        {
            "phase": STRING,
            "message": STRING,
            "observedGeneration": INT64,
            "compared": INT64,
            "differing": INT64,
            "unanswered": INT64,
            "byAspect": {"type": "object", "additionalProperties": INT64},
            "places": many(shape({"where": STRING, "count": INT64})),
            "latencyMilliseconds": ANYTHING,
            "examples": many(
                shape({"request": STRING, "differences": many(STRING_MAP)}),
            ),
        }
    ),
    "A Comparison copies requests to a second version and tells where its answers differ; users never see them.",
)
COMPARISON_COLUMNS = [
    column("Status", "string", ".status.phase"),
    column("Compared", "integer", ".status.compared"),
    column("Differing", "integer", ".status.differing"),
    column("Unanswered", "integer", ".status.unanswered"),
    column("Message", "string", ".status.message", priority=1),
    column("Age", "date", ".metadata.creationTimestamp"),
]
