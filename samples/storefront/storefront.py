"""The shop's front: stock levels and reservations for customers, fetched from the stockmanager."""

import json

from service import IDENTITY, NOT_FOUND, POD, VERSION, WHO_ARE_YOU, address_of, admin, credentials, settings
from serving import BadMessage, Response, Server, Upstream
from tracing import Tracer


class Storefront:
    """Answers on the service port."""

    def __init__(self, conf, users, stockmanager):
        self._allowed = credentials(users)
        self._minimum = int(conf.get("minimumchange", 2))
        self._stockmanager = stockmanager
        status = {"name": conf.get("storename", "My Shop"), "alive": True, "version": VERSION}
        self._status = Response(200, json.dumps(status, separators=(",", ":")).encode())

    def handle(self, request):
        """The answer to one request."""
        path = request.path.split("?")[0]
        if path in {"/status", "/sf/status"}:
            return self._status
        if path in {"/minimumChange", "/sf/minimumChange"}:
            return Response(200, str(self._minimum).encode(), "text/plain")
        if path not in {"/store/stocklevel", "/store/reserveStock"}:
            return NOT_FOUND
        if request.headers.get("authorization") not in self._allowed:
            return WHO_ARE_YOU
        if path == "/store/stocklevel" and request.method in {"GET", "HEAD"}:
            return self._ask(request, "GET", "/stocklevel")
        if path == "/store/reserveStock" and request.method == "POST":
            return self._reserve(request)
        return Response(405, b'{"error":"method not allowed"}')

    def _reserve(self, request):
        try:
            wish = json.loads(request.body)
            item, count = str(wish["requestedItem"]), int(wish["reservedCount"])
        except (ValueError, KeyError, TypeError):
            return Response(400, b'{"error":"want requestedItem and reservedCount"}')
        if count < self._minimum:
            return Response(406, json.dumps({"error": f"the minimum is {self._minimum}"}).encode())
        quoted = "".join(c if c.isalnum() else "".join(f"%{byte:02X}" for byte in c.encode()) for c in item)
        return self._ask(request, "POST", f"/stocklevel/{quoted}/{-count}")

    def _ask(self, request, method, path):
        span = request.span.child(f"{method.lower()} {path.split('/')[1]}")
        headers = [("Authorization", request.headers["authorization"]), *span.headers()]
        try:
            status, body = self._stockmanager.fetch(method, path, headers)
        except (OSError, BadMessage) as error:
            print(f"stockmanager_unreachable error={error!r}")
            status, body = 503, b'{"error":"the stockmanager does not answer"}'
        span.finish(status)
        return Response(status, body)


def main():
    """Serve until SIGTERM."""
    tracer = Tracer("storefront", POD, address_of("zipkin", 9411))
    server = Server(IDENTITY, tracer)
    front = Storefront(settings("/conf"), settings("/confsecure"), Upstream(*address_of("stockmanager", 8081)))
    server.listen(8080, front.handle, traced=True)
    server.listen(9080, admin(server, "storefront", lambda: not server.stopping))
    print(f"storefront_started version={VERSION} pod={POD}")
    server.run()
    print("storefront_stopped")


if __name__ == "__main__":
    main()
