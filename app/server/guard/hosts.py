"""
Allowed hosts: the names that a request may address the server by.

A page on the internet can point its own name to 127.0.0.1 after it has loaded (DNS rebinding). The browser then takes
the server for the page's own host and lets it read every answer. The header Host still holds the page's name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import ip_address

from app.errors import MisdirectedRequest

HOST = re.compile(rb"(?P<name>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]*)(?::[0-9]*)?")
MAX_HOST_BYTES = 262
"""The longest name, 255 bytes, with the longest port."""
MAX_VERIFIED_HOSTS = 256


class AllowedHosts:
    """
    The names of the server, of which `*.example.com` stands for all below it.

    Without names, every name without a dot is allowed, since no page on the internet has one. Addresses and localhost
    are always allowed: their meaning cannot be changed by anyone's name server.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        lower = [name.lower() for name in names]
        self._names = frozenset(lower)
        self._endings = tuple(name.removeprefix("*") for name in lower if name.startswith("*."))
        self.verified: set[bytes] = set()
        """Values of Host that were allowed, which need no further check."""

    def check(self, host: bytes) -> None:
        """Raise MisdirectedRequest unless the value of the header Host is allowed; an absent one is empty."""
        if not self._allows(host):
            shown = host[:100].decode("latin-1")
            raise MisdirectedRequest(f"expected a host of HOURGLASS_ALLOWED_HOSTS in the header Host, got {shown!r}")
        if len(self.verified) >= MAX_VERIFIED_HOSTS:
            self.verified.clear()
        self.verified.add(host)

    def _allows(self, host: bytes) -> bool:
        match = HOST.fullmatch(host) if len(host) <= MAX_HOST_BYTES else None
        if match is None:
            return False
        name = match["name"].decode().lower().removesuffix(".")
        if name == "localhost" or name.endswith(".localhost") or _is_address(name):
            return True
        if not self._names:
            return "." not in name
        return name in self._names or name.endswith(self._endings)


def is_loopback(host: str) -> bool:
    """Return True if an address to listen on can be reached only from this machine."""
    return host == "localhost" or (_is_address(host) and ip_address(host.strip("[]")).is_loopback)


def _is_address(name: str) -> bool:
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
