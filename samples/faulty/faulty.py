"""A storefront that fails as often and is as slow as it is told: the new version that nobody wants to keep.

FAIL_PERCENT of the requests are answered with 500, evenly; DELAY_MS is how long every answer takes; CRASH_AFTER so
many requests the program ends (0: never).
"""

import itertools
import os
import time

from service import IDENTITY, NOT_FOUND, VERSION, admin
from serving import Response, Server

FAIL_PERCENT = int(os.environ.get("FAIL_PERCENT", "0"))
DELAY_SECONDS = int(os.environ.get("DELAY_MS", "0")) / 1000
CRASH_AFTER = int(os.environ.get("CRASH_AFTER", "0"))
STATUS = Response(200, f'{{"name":"My Shop","alive":true,"version":"{VERSION}"}}'.encode())
BROKEN = Response(500, b'{"error":"out of chairs"}')
NUMBERS = itertools.count()


def handle(request):
    """The answer to one request."""
    if request.path.split("?")[0] not in {"/status", "/sf/status"}:
        return NOT_FOUND
    time.sleep(DELAY_SECONDS)
    number = next(NUMBERS)
    if CRASH_AFTER and number >= CRASH_AFTER:
        os._exit(1)
    is_bad = (number + 1) * FAIL_PERCENT // 100 > number * FAIL_PERCENT // 100
    return BROKEN if is_bad else STATUS


def main():
    """Serve until SIGTERM."""
    server = Server(IDENTITY)
    server.listen(8080, handle)
    server.listen(9080, admin(server, "faulty", lambda: True))
    print(f"faulty_started version={VERSION} fail_percent={FAIL_PERCENT} delay_s={DELAY_SECONDS}")
    server.run()


if __name__ == "__main__":
    main()
