"""A storefront without manners: it serves like the other one, and ends at once on SIGTERM, whatever it is doing.

It stands for the programs that people really run. Nothing may be lost when it is updated.
"""

import os
import signal

from service import IDENTITY, NOT_FOUND, POD, VERSION, WHO_ARE_YOU, admin, credentials
from serving import Response, Server

STATUS = Response(200, f'{{"name":"My Shop","alive":true,"version":"{VERSION}"}}'.encode())
STOCK = Response(200, b'[{"itemCount":4980,"itemName":"rivet"},{"itemCount":4,"itemName":"chair"}]')
ALLOWED = credentials({"jack": "password"})


def handle(request):
    """The answer to one request."""
    path = request.path.split("?")[0]
    if path in {"/status", "/sf/status"}:
        return STATUS
    if path == "/store/stocklevel":
        return STOCK if request.headers.get("authorization") in ALLOWED else WHO_ARE_YOU
    return NOT_FOUND


def main():
    """Serve until SIGTERM, then vanish."""
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    server = Server(IDENTITY)
    server.listen(8080, handle)
    server.listen(9080, admin(server, "rude", lambda: True))
    print(f"rude_started version={VERSION} pod={POD}")
    server.run(on_term=lambda *_: os._exit(0))


if __name__ == "__main__":
    main()
