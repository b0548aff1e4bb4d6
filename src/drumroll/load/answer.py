"""What came back for one request, and how failures are named."""

import errno
import re
import ssl
from collections.abc import Iterable
from dataclasses import dataclass

VERSION = re.compile(rb'"version"\s*:\s*"([^"]{1,64})"')
KEPT_BODY = 4096
"""As much of a body is kept to find the version in; all of it is read and counted."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer."""

    status: int
    version: str = ""
    pod: str = ""


class Failure(Exception):
    """No whole answer came; `reason` is the ledger's word for why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def answer_of(status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> Answer:
    """The answer; its version comes from the header x-service-version, else from the JSON body's `version`."""
    version = pod = b""
    for name, value in headers:
        if name == b"x-service-version":
            version = value
        elif name == b"x-pod":
            pod = value
    if not version and (found := VERSION.search(body)):
        version = found.group(1)
    return Answer(status, version.decode("latin-1"), pod.decode("latin-1"))


def reason_of(error: BaseException) -> str:
    """The ledger's word for an error while connecting, sending or reading."""
    match error:
        case Failure():
            return error.reason
        case TimeoutError():
            return "timeout"
        case ConnectionRefusedError():
            return "refused"
        case ConnectionError():
            return "reset"
        case ssl.SSLError():
            return "tls"
        case OSError(errno=errno.ETIMEDOUT):
            return "timeout"
        case _:
            return "unreachable"
