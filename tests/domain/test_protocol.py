import pytest

from drumroll.domain.protocol import protocol_of


@pytest.mark.parametrize(
    ("port", "routed", "expected"),
    [
        ({"port": 80, "name": "http"}, False, "http"),
        ({"port": 80, "name": "http-admin"}, False, "http"),
        ({"port": 80, "name": "httpfoo"}, False, "detect"),
        ({"port": 80, "name": "grpc"}, True, "http2"),
        ({"port": 80, "name": "h2c-x"}, False, "http2"),
        ({"port": 443, "name": "https"}, False, "tcp"),
        ({"port": 443, "name": "https"}, True, "http"),
        ({"port": 80, "name": "tcp-x"}, True, "http"),
        ({"port": 80, "appProtocol": "kubernetes.io/h2c", "name": "http"}, False, "http2"),
        ({"port": 80, "appProtocol": "example.com/own"}, False, "tcp"),
        ({"port": 80, "appProtocol": "HTTP"}, False, "http"),
        ({"port": 3306}, False, "tcp"),
        ({"port": 13306, "targetPort": 3306}, False, "tcp"),
        ({"port": 8080}, False, "detect"),
        ({"port": 8080}, True, "http"),
    ],
)
def test_protocol_of_a_port(port, routed, expected):
    assert protocol_of(port, routed=routed) == expected
