"""One link of a chain of services: it says who it is, asks the next one, and passes on what tracing passes on.

NEXT is the Service to ask (empty: this is the last one). PRICE is what it answers besides. Of users, whom the header
X-User names, BUY_PERCENT buy: each request of a user is a line in the log, for whoever counts.
"""

import json
import os
import zlib

from service import IDENTITY, NOT_FOUND, POD, VERSION, address_of, admin
from serving import Response, Server, Upstream

NAME, NEXT = os.environ.get("NAME", "relay"), os.environ.get("NEXT", "")
PRICE, BUY_PERCENT = os.environ.get("PRICE", "10"), int(os.environ.get("BUY_PERCENT", "0"))
UPSTREAM = Upstream(*address_of(NEXT, 8080)) if NEXT else None
PASSED_ON = ("traceparent", "tracestate", "baggage", "x-request-id")


def handle(request):
    """The answer to one request: this link's, with the next one's in it."""
    if request.path.split("?")[0] != "/":
        return NOT_FOUND
    answer = {"name": NAME, "version": VERSION, "price": PRICE, "pod": POD}
    user = request.headers.get("x-user")
    if user:
        has_bought = zlib.crc32(f"{user} {VERSION}".encode()) % 100 < BUY_PERCENT
        print(json.dumps({"user": user, "bought": has_bought}), flush=True)
    if UPSTREAM:
        passed_on = [(name, request.headers[name]) for name in PASSED_ON if name in request.headers]
        try:
            status, body = UPSTREAM.fetch("GET", "/", passed_on)
        except OSError as error:
            print(f"next_unreachable error={error!r}")
            status, body = 503, b""
        answer["next"] = json.loads(body) if status == 200 else status
    return Response(200, json.dumps(answer).encode())


def main():
    """Serve until SIGTERM."""
    server = Server(IDENTITY)
    server.listen(8080, handle)
    server.listen(9080, admin(server, NAME, lambda: True))
    print(f"relay_started name={NAME} version={VERSION} next={NEXT or '-'}")
    server.run()


if __name__ == "__main__":
    main()
