"""The schema of Rollout. Source: argo-rollouts pkg/apis/rollouts/v1alpha1/types.go."""

from drumroll.domain.custom.installed.rollout_status import STATUS
from drumroll.domain.custom.installed.rollout_steps import (
    METADATA,
    STEP,
    analysis,
)
from drumroll.domain.custom.installed.shapes import (
    ANYTHING,
    BOOLEAN,
    COUNT_OR_SHARE,
    IMMUTABLE,
    INT32,
    INT64,
    POD_TEMPLATE,
    SELECTOR,
    STRING,
    STRING_MAP,
    STRINGS,
    TIME,
    each,
    many,
    resource,
    rule,
    shape,
)

_ANTI_AFFINITY = shape(
    {
        "preferredDuringSchedulingIgnoredDuringExecution": shape({"weight!": INT32}),
        "requiredDuringSchedulingIgnoredDuringExecution": shape({}),
    }
)
_DELAYS = {
    "scaleDownDelaySeconds": (INT32, "How long the old pods stay after the switch; 30 by default."),
    "scaleDownDelayRevisionLimit": (INT32, "How many old revisions may stay at once."),
    "abortScaleDownDelaySeconds": (INT32, "How long the new pods stay after an abort; 30 by default, 0: for ever."),
}

_BLUE_GREEN = shape(
    {
        "activeService!": (STRING, "The Service that leads users to the active version."),
        "previewService": (STRING, "The Service that leads to the new version before it is active."),
        "previewReplicaCount": (INT32, "How many pods the new version has before it is promoted; all by default."),
        "autoPromotionEnabled": (BOOLEAN, "Whether the switch happens by itself; true by default."),
        "autoPromotionSeconds": (INT32, "How long to wait before the switch happens by itself."),
        "maxUnavailable": (COUNT_OR_SHARE, "How many pods may be missing during a restart; 25% by default."),
        **_DELAYS,
        "prePromotionAnalysis": (analysis(), "What must succeed before the switch."),
        "postPromotionAnalysis": (analysis(), "What must succeed after the switch, or it is taken back."),
        "antiAffinity": _ANTI_AFFINITY,
        "previewMetadata": (METADATA, "Labels and annotations of the new pods until they are active."),
        "activeMetadata": (METADATA, "Labels and annotations of the pods that are active."),
    }
)

_ISTIO_SERVICE = shape(
    {
        "name!": STRING,
        "routes": STRINGS,
        "tlsRoutes": many(shape({"port": INT64, "sniHosts": STRINGS})),
        "tcpRoutes": many(shape({"port": INT64})),
    }
)
_NODE = shape({"name!": STRING})
_TRAFFIC_ROUTING = shape(
    {
        "plugins": (ANYTHING, "Routers by their plugin's name, such as argoproj-labs/gatewayAPI."),
        "nginx": shape(
            {
                "annotationPrefix": STRING,
                "stableIngress": STRING,
                "stableIngresses": STRINGS,
                "additionalIngressAnnotations": STRING_MAP,
                "canaryIngressAnnotations": STRING_MAP,
            }
        ),
        "smi": shape(each(STRING, "rootService trafficSplitName")),
        "istio": shape(
            {
                "virtualService": _ISTIO_SERVICE,
                "virtualServices": many(_ISTIO_SERVICE),
                "destinationRule": shape(each(STRING, "name! canarySubsetName! stableSubsetName!")),
            }
        ),
        "alb": shape(
            {
                "ingress": STRING,
                "ingresses": STRINGS,
                "servicePort!": INT32,
                "rootService": STRING,
                "annotationPrefix": STRING,
                "stickinessConfig": shape({"enabled!": BOOLEAN, "durationSeconds!": INT64}),
            }
        ),
        "ambassador": shape({"mappings!": STRINGS}),
        "appMesh": shape(
            {
                "virtualService": shape({"name!": STRING, "routes": STRINGS}),
                "virtualNodeGroup": shape(each(_NODE, "canaryVirtualNodeRef! stableVirtualNodeRef!")),
            }
        ),
        "traefik": shape({"weightedTraefikServiceName!": STRING}),
        "apisix": shape({"route": shape({"name!": STRING, "rules": STRINGS})}),
        "managedRoutes": (many(shape({"name!": STRING})), "Routes that steps make, by order of precedence."),
        "maxTrafficWeight": (INT32, "What the weights of a route add up to; 100 by default."),
    }
)

_CANARY = shape(
    {
        "canaryService": (STRING, "The Service of the new version alone."),
        "stableService": (STRING, "The Service of the stable version alone."),
        "steps": (many(STEP), "What an update does, one after the other."),
        "trafficRouting": (_TRAFFIC_ROUTING, "What splits the traffic; without it the numbers of pods do."),
        "maxSurge": (COUNT_OR_SHARE, "How many pods may be there beyond the wanted number; 25% by default."),
        "maxUnavailable": (COUNT_OR_SHARE, "How many pods may be missing; 25% by default."),
        "analysis": (analysis({"startingStep": INT32}), "An analysis that runs during the whole update."),
        "antiAffinity": _ANTI_AFFINITY,
        "canaryMetadata": (METADATA, "Labels and annotations of the new pods until they are stable."),
        "stableMetadata": (METADATA, "Labels and annotations of the stable pods."),
        **_DELAYS,
        "dynamicStableScale": (BOOLEAN, "Whether the stable version shrinks as its traffic does."),
        "pingPong": shape(each(STRING, "pingService! pongService!")),
        "minPodsPerReplicaSet": INT32,
        "replicaProgressThreshold": shape({"type!": STRING, "value!": INT32}),
    }
)

_SPEC = shape(
    {
        "replicas": (INT32, "How many pods are wanted; 1 by default."),
        "selector": shape({}, rule(IMMUTABLE, "selector is immutable")) | SELECTOR,
        "template": (POD_TEMPLATE, "The pods of the newest version."),
        "workloadRef": (
            shape(each(STRING, "apiVersion kind name scaleDown")),
            "The Deployment, ReplicaSet or PodTemplate that has the pods' template instead.",
        ),
        "minReadySeconds": (INT32, "How long a pod must be ready to count as available."),
        "strategy": shape({"blueGreen": _BLUE_GREEN, "canary": _CANARY}),
        "revisionHistoryLimit": (INT32, "How many old ReplicaSets to keep; 10 by default."),
        "rollbackWindow": shape({"revisions": INT32}),
        "paused": (BOOLEAN, "Whether to hold still at the current step."),
        "progressDeadlineSeconds": (INT32, "How long an update may make no progress; 600 by default."),
        "progressDeadlineAbort": (BOOLEAN, "Whether to abort when the deadline has passed."),
        "restartAt": (TIME, "Pods that are older than this are replaced."),
        "analysis": shape(each(INT32, "successfulRunHistoryLimit unsuccessfulRunHistoryLimit")),
    }
)

SCHEMA = resource(_SPEC, STATUS, "A Rollout updates pods step by step, and takes the update back if need be.")
