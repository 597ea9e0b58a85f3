"""Which web pages may talk to this server: a socket, unlike a request, is open to every page."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from urllib.parse import urlsplit


class Origins:
    """The origins of our own pages.

    Those that are listed, and the server's own address as long as that is a number or `localhost`:
    a name that merely points to this machine may be somebody else's (DNS rebinding).
    """

    def __init__(self, listed: Iterable[str] = ()) -> None:
        self._listed = frozenset(origin.rstrip("/").lower() for origin in listed)

    def allow(self, origin: str | None, host: str | None) -> bool:
        """Whether a request with these headers may come in. Only browsers send an origin; what
        sends none is no page."""
        if origin is None:
            return True
        origin = origin.lower()
        if origin in self._listed:
            return True
        try:
            place = urlsplit(origin)
            name = place.hostname or ""
        except ValueError:
            return False
        own = place.scheme in ("http", "https") and place.netloc == (host or "").lower()
        return own and (name == "localhost" or _is_number(name))


def _is_number(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
