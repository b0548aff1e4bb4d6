"""The schemas of AnalysisTemplate, ClusterAnalysisTemplate and AnalysisRun.

Source: argo-rollouts pkg/apis/rollouts/v1alpha1/analysis_types.go.
"""

from drumroll.domain.custom.installed.rollout_steps import DRY_RUN, RETENTION, TEMPLATE_NAMES
from drumroll.domain.custom.installed.shapes import (
    ANYTHING,
    BOOLEAN,
    COUNT_OR_SHARE,
    INT32,
    INT64,
    STRING,
    STRING_MAP,
    STRINGS,
    TIME,
    Field,
    each,
    many,
    resource,
    shape,
)
from drumroll.objects.custom import PRESERVE
from drumroll.objects.meta import Obj

_SECRET = shape({"name!": STRING, "key!": STRING})
_ARGUMENTS = many(
    shape(
        {
            "name!": STRING,
            "value": STRING,
            "valueFrom": shape({"secretKeyRef": _SECRET, "fieldRef": shape({"fieldPath!": STRING})}),
        }
    )
)
_HEADERS = many(shape({"key!": STRING, "value!": STRING}))
_OAUTH2 = shape({**each(STRING, "tokenUrl clientId clientSecret"), "scopes": STRINGS})
_AUTHENTICATION = shape(
    {
        "sigv4": shape(each(STRING, "profile region roleArn")),
        "oauth2": _OAUTH2,
        "basicAuth": shape(each(STRING, "username password")),
    }
)
_SCOPE = shape({**each(STRING, "scope! region! start! end!"), "step!": INT64})
_CLOUD_WATCH = shape(
    {
        "interval": STRING,
        "metricDataQueries!": many(
            shape(
                {
                    **each(STRING, "id expression label"),
                    "period": COUNT_OR_SHARE,
                    "returnData": BOOLEAN,
                    "metricStat": shape(
                        {
                            "metric": shape(
                                {
                                    "dimensions": many(shape(each(STRING, "name value"))),
                                    **each(STRING, "metricName namespace"),
                                }
                            ),
                            "period": COUNT_OR_SHARE,
                            **each(STRING, "stat unit"),
                        }
                    ),
                }
            )
        ),
    }
)

_PROMETHEUS = shape(
    {
        "address": (STRING, "Where Prometheus answers; without it Drumroll's own metrics are asked."),
        "query": (STRING, "The query, in PromQL."),
        "rangeQuery": shape(each(STRING, "start end step")),
        "headers": _HEADERS,
        "authentication": _AUTHENTICATION,
        "insecure": BOOLEAN,
        "caCert": (STRING, "Certificates to trust besides the system's, as PEM."),
        "timeout": INT64,
    }
)
_WEB = shape(
    {
        "url!": STRING,
        **each(STRING, "method body"),
        "jsonBody": ANYTHING,
        "headers": _HEADERS,
        "timeoutSeconds": INT64,
        "jsonPath": (STRING, "Which part of the answer is the result; all of it by default."),
        "insecure": BOOLEAN,
        "authentication": _AUTHENTICATION,
    }
)
_KAYENTA = shape(
    {
        **each(STRING, "address! application! canaryConfigName! metricsAccountName! configurationAccountName!"),
        "storageAccountName!": STRING,
        "threshold!": shape(each(INT64, "pass! marginal!")),
        "scopes!": many(shape({"name!": STRING, **each(_SCOPE, "controlScope! experimentScope!")})),
    }
)
_PROVIDER = shape(
    {
        "prometheus": (_PROMETHEUS, "Ask a Prometheus."),
        "web": (_WEB, "Ask a web server that answers in JSON."),
        "job": (shape({"metadata": ANYTHING, "spec!": ANYTHING}), "Run a Job: it succeeds or fails."),
        "plugin": ANYTHING,
        "kayenta": _KAYENTA,
        "datadog": shape(
            {
                **each(STRING, "interval query formula apiVersion aggregator requestTimeout"),
                "queries": STRING_MAP,
                "secretRef": shape({"name": STRING, "namespaced": BOOLEAN}),
            }
        ),
        "wavefront": shape(each(STRING, "address query")),
        "newRelic": shape({**each(STRING, "profile query!"), "timeout": INT64}),
        "cloudWatch": _CLOUD_WATCH,
        "graphite": shape(each(STRING, "address query")),
        "influxdb": shape(each(STRING, "profile query")),
        "skywalking": shape(each(STRING, "address query interval")),
    }
)
_METRIC = shape(
    {
        "name!": STRING,
        "interval": (STRING, "How long from one measurement to the next, such as 30s; without it there is one."),
        "initialDelay": (STRING, "How long to wait before the first measurement."),
        "count": (COUNT_OR_SHARE, "How many measurements to take; without it the metric runs until it is stopped."),
        "successCondition": (STRING, "What makes a measurement a success, such as result[0] >= 0.95."),
        "failureCondition": (STRING, "What makes a measurement a failure."),
        "failureLimit": (COUNT_OR_SHARE, "How many failures are allowed; 0 by default, -1: any number."),
        "inconclusiveLimit": (COUNT_OR_SHARE, "How many inconclusive measurements are allowed; 0 by default."),
        "consecutiveErrorLimit": (COUNT_OR_SHARE, "How many errors in a row are allowed; 4 by default."),
        "consecutiveSuccessLimit": (COUNT_OR_SHARE, "How many successes in a row are enough; 0: does not apply."),
        "provider!": _PROVIDER,
    }
)

_COMMON: dict[str, Field] = {
    "args": _ARGUMENTS,
    "dryRun": (DRY_RUN, "Metrics, by regular expression, whose verdict does not count."),
    "measurementRetention": (RETENTION, "How many measurements to keep, by metric."),
}
_METRICS = many(_METRIC)
TEMPLATE = resource(
    shape({"metrics": _METRICS, **_COMMON, "templates": TEMPLATE_NAMES}),
    None,
    "An AnalysisTemplate says what to measure, and what makes it good or bad.",
)
_AMOUNTS: dict[str, Obj] = each(INT32, "count successful failed inconclusive error")
_SUMMARY = shape(_AMOUNTS)
_MEASUREMENT = shape(
    {
        "phase!": STRING,
        **each(STRING, "message value"),
        **each(TIME, "startedAt finishedAt resumeAt"),
        "metadata": STRING_MAP,
    }
)
_RESULT = shape(
    {
        **each(STRING, "name! phase! message"),
        "measurements": many(_MEASUREMENT),
        **_AMOUNTS,
        **each(INT32, "consecutiveError consecutiveSuccess"),
        "dryRun": BOOLEAN,
        "metadata": STRING_MAP,
    },
    **{PRESERVE: True},
)
_STATUS = shape(
    {
        "phase!": STRING,
        "message": STRING,
        "metricResults": many(_RESULT),
        **each(TIME, "startedAt completedAt"),
        "runSummary": _SUMMARY,
        "dryRunSummary": _SUMMARY,
    },
    **{PRESERVE: True},
)
RUN = resource(
    shape(
        {
            "metrics!": _METRICS,
            **_COMMON,
            "terminate": (BOOLEAN, "Whether to stop before the run is complete."),
            "ttlStrategy": shape(each(INT32, "secondsAfterCompletion secondsAfterFailure secondsAfterSuccess")),
        }
    ),
    _STATUS,
    "An AnalysisRun measures, and ends with a verdict.",
)
