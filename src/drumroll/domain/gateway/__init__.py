"""Gateway API: what GatewayClasses, Gateways, routes and grants ask for, in our own words, and what they are told.

`translate.py` is the whole way from objects to virtual hosts and verdicts; `domain/envoy/gateway_routes.py` makes
Envoy's routes of the former, `statuses.py` statuses of the latter. `proofs.py` says what Envoy has acknowledged.
"""

CONTROLLER = "drumroll.dev/gateway"
CLASS = "drumroll"
GROUP = "gateway.networking.k8s.io"
ACKNOWLEDGED = "drumroll.dev/Acknowledged"
