"""The Kubernetes API over HTTP: discovery, REST, patches, watches, tables, authentication."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from drumroll.apiserver.server import ApiServer

__all__ = ["ApiServer"]


def __getattr__(name: str) -> Any:
    """`ApiServer` on first use: importing a small part of this package stays cheap."""
    if name == "ApiServer":
        from drumroll.apiserver.server import ApiServer

        return ApiServer
    raise AttributeError(name)
