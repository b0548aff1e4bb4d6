"""The schemas of a canary's steps and of the analyses that a Rollout asks for.

Source: argo-rollouts pkg/apis/rollouts/v1alpha1/types.go.
"""

from collections.abc import Mapping

from drumroll.domain.custom.installed.shapes import (
    ANYTHING,
    BOOLEAN,
    COUNT_OR_SHARE,
    INT32,
    SELECTOR,
    STRING,
    STRING_MAP,
    Field,
    each,
    many,
    shape,
)
from drumroll.objects.meta import Obj

METADATA = shape({"labels": STRING_MAP, "annotations": STRING_MAP})
TEMPLATE_NAMES = many(shape({"templateName": STRING, "clusterScope": BOOLEAN}))
DRY_RUN = many(shape({"metricName!": STRING}))
RETENTION = many(shape({"metricName!": STRING, "limit!": INT32}))
_FIELD = shape({"fieldPath!": STRING})
_ARGUMENTS = many(
    shape(
        {
            "name!": STRING,
            "value": STRING,
            "valueFrom": shape({"podTemplateHashValue": STRING, "fieldRef": _FIELD}),
        }
    )
)
_SERVICE = shape({"name": STRING})


def analysis(more: Mapping[str, Field] | None = None) -> Obj:
    """Which templates to run, and with what."""
    return shape(
        {
            "templates": TEMPLATE_NAMES,
            "args": _ARGUMENTS,
            "dryRun": DRY_RUN,
            "measurementRetention": RETENTION,
            "analysisRunMetadata": METADATA,
            **(more or {}),
        }
    )


_EXPERIMENT = shape(
    {
        "templates!": many(
            shape(
                {
                    "name!": STRING,
                    "specRef!": STRING,
                    "replicas": INT32,
                    "metadata": METADATA,
                    "selector": SELECTOR,
                    "weight": INT32,
                    "service": _SERVICE,
                }
            )
        ),
        "duration": STRING,
        "analyses": many(
            shape(
                {
                    "name!": STRING,
                    "templateName!": STRING,
                    "clusterScope": BOOLEAN,
                    "args": _ARGUMENTS,
                    "requiredForCompletion": BOOLEAN,
                }
            )
        ),
        "dryRun": DRY_RUN,
        "analysisRunMetadata": METADATA,
        "scaleDownDelaySeconds": INT32,
    }
)
_TEXT_MATCH = shape(each(STRING, "exact prefix regex"))

STEP = shape(
    {
        "setWeight": (INT32, "The share of the traffic that the new version gets, in percent."),
        "pause": (shape({"duration": COUNT_OR_SHARE}), "Wait: this long, or until somebody promotes."),
        "setCanaryScale": (
            shape({"weight": INT32, "replicas": INT32, "matchTrafficWeight": BOOLEAN}),
            "How many pods the new version has, whatever its traffic.",
        ),
        "analysis": (analysis(), "An analysis that must succeed before the next step."),
        "experiment": (_EXPERIMENT, "Versions to run side by side before the next step."),
        "setHeaderRoute": (
            shape({"name": STRING, "match": many(shape({"headerName!": STRING, "headerValue!": _TEXT_MATCH}))}),
            "Which requests go to the new version by a header; none: the route is removed.",
        ),
        "setMirrorRoute": (
            shape(
                {
                    "name!": STRING,
                    "match": many(
                        shape(
                            {
                                "method": _TEXT_MATCH,
                                "path": _TEXT_MATCH,
                                "headers": {"type": "object", "additionalProperties": _TEXT_MATCH},
                            }
                        )
                    ),
                    "percentage": INT32,
                }
            ),
            "Which requests the new version gets a copy of; none: the route is removed.",
        ),
        "plugin": shape({"name!": STRING, "config": ANYTHING}),
    }
)
