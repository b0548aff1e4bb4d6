"""The schema of Experiment. Source: argo-rollouts pkg/apis/rollouts/v1alpha1/experiment_types.go."""

from drumroll.domain.custom.installed.rollout_status import CONDITIONS
from drumroll.domain.custom.installed.rollout_steps import DRY_RUN, METADATA, RETENTION
from drumroll.domain.custom.installed.shapes import (
    BOOLEAN,
    INT32,
    POD_TEMPLATE,
    SELECTOR,
    STRING,
    TIME,
    each,
    many,
    resource,
    shape,
)
from drumroll.objects.custom import PRESERVE

_ARGUMENTS = many(
    shape(
        {
            "name!": STRING,
            "value": STRING,
            "valueFrom": shape(
                {
                    "secretKeyRef": shape({"name!": STRING, "key!": STRING}),
                    "fieldRef": shape({"fieldPath!": STRING}),
                }
            ),
        }
    )
)
_SPEC = shape(
    {
        "templates!": many(
            shape(
                {
                    "name!": STRING,
                    "replicas": INT32,
                    "minReadySeconds": INT32,
                    "selector!": SELECTOR,
                    "template!": POD_TEMPLATE,
                    "service": shape({"name": STRING}),
                }
            )
        ),
        "duration": (STRING, "How long to run, such as 10m; without it until it is terminated."),
        "progressDeadlineSeconds": INT32,
        "terminate": BOOLEAN,
        "analyses": many(
            shape(
                {
                    **each(STRING, "name! templateName!"),
                    "clusterScope": BOOLEAN,
                    "args": _ARGUMENTS,
                    "requiredForCompletion": BOOLEAN,
                }
            )
        ),
        "scaleDownDelaySeconds": INT32,
        "dryRun": DRY_RUN,
        "measurementRetention": RETENTION,
        "analysisRunMetadata": METADATA,
    }
)
_TEMPLATE_STATUS = shape(
    {
        "name!": STRING,
        **each(INT32, "replicas! updatedReplicas! readyReplicas! availableReplicas! collisionCount"),
        **each(STRING, "status message serviceName podTemplateHash"),
        "lastTransitionTime": TIME,
    }
)
_STATUS = shape(
    {
        **each(STRING, "phase message"),
        "templateStatuses": many(_TEMPLATE_STATUS),
        "availableAt": TIME,
        "conditions": CONDITIONS,
        "analysisRuns": many(shape(each(STRING, "name! analysisRun! phase! message"))),
    },
    **{PRESERVE: True},
)
SCHEMA = resource(_SPEC, _STATUS, "An Experiment runs versions side by side for a while, and analyses them.")
