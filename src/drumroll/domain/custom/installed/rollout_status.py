"""The schema of a Rollout's status. Source: argo-rollouts pkg/apis/rollouts/v1alpha1/types.go."""

from drumroll.domain.custom.installed.shapes import (
    BOOLEAN,
    INT32,
    INT64,
    STRING,
    TIME,
    each,
    many,
    shape,
)
from drumroll.objects.custom import PRESERVE

_RUN = shape(each(STRING, "name! status! message"))
_DESTINATION = shape({"weight!": INT32, "serviceName": STRING, "podTemplateHash": STRING})
_AWS = shape(each(STRING, "name! arn! fullName"))
_BALANCER = shape({**each(_AWS, "loadBalancer canaryTargetGroup stableTargetGroup"), "ingress": STRING})
CONDITIONS = many(
    shape({**each(STRING, "type! status! reason! message!"), **each(TIME, "lastUpdateTime! lastTransitionTime!")})
)

_CANARY = shape(
    {
        "currentStepAnalysisRunStatus": _RUN,
        "currentBackgroundAnalysisRunStatus": _RUN,
        "currentExperiment": STRING,
        "weights": shape(
            {
                "canary!": _DESTINATION,
                "stable!": _DESTINATION,
                "additional": many(_DESTINATION),
                "verified": BOOLEAN,
            },
            **{PRESERVE: True},
        ),
        "stablePingPong": STRING,
        "stepPluginStatuses": many(
            shape(
                {
                    "index!": INT32,
                    "name!": STRING,
                    **each(STRING, "message operation phase backoff"),
                    **each(TIME, "startedAt updatedAt finishedAt"),
                    "executions": INT32,
                    "disabled": BOOLEAN,
                    "status": {PRESERVE: True},
                }
            )
        ),
    },
    **{PRESERVE: True},
)

_BLUE_GREEN = shape(
    {
        **each(STRING, "previewSelector activeSelector"),
        "scaleUpPreviewCheckPoint": BOOLEAN,
        **each(_RUN, "prePromotionAnalysisRunStatus postPromotionAnalysisRunStatus"),
    },
    **{PRESERVE: True},
)

STATUS = shape(
    {
        **each(BOOLEAN, "abort controllerPause promoteFull"),
        "pauseConditions": many(shape({"reason!": STRING, "startTime!": TIME})),
        **each(TIME, "abortedAt restartedAt"),
        **each(STRING, "currentPodHash currentStepHash observedGeneration workloadObservedGeneration selector"),
        **each(STRING, "stableRS phase message"),
        **each(INT32, "replicas updatedReplicas readyReplicas availableReplicas HPAReplicas"),
        **each(INT32, "currentStepIndex collisionCount"),
        "conditions": CONDITIONS,
        "canary": _CANARY,
        "blueGreen": _BLUE_GREEN,
        "alb": _BALANCER,
        "albs": many(_BALANCER),
        "duration": shape(
            {
                **each(TIME, "rolloutStartedAt manualPauseStartedAt finishedAt"),
                "totalManualPauseDurationSeconds": INT64,
                "completionStatus": STRING,
            }
        ),
    },
    **{PRESERVE: True},
)
