"""The settings that guard the server, as the policy of the guard."""

from __future__ import annotations

from dataclasses import replace

from app.server.guard.cors import Cors
from app.server.guard.guard import Policy
from app.server.guard.hosts import AllowedHosts, is_loopback
from app.server.guard.keys import KeyFile
from app.settings import Settings


def read_policy(settings: Settings) -> Policy:
    """Return the policy of the settings, with the keys of the file. Raises StartupError."""
    rate_limits = None
    if settings.rate_limit:
        from app.server.guard.rate_limits import RateLimits

        rate_limits = RateLimits(settings.rate_limit)
    origins, names = _items(settings.cors_origins), _items(settings.allowed_hosts)
    local = not names and settings.uds is None and is_loopback(settings.host)
    closed = settings.keys_file is not None
    return Policy(
        keys=KeyFile(settings.keys_file) if settings.keys_file else None,
        rate_limits=rate_limits,
        hosts=AllowedHosts(names) if local or (names and "*" not in names) else None,
        cors=Cors(origins) if origins else None,
        root_path=settings.root_path,
        open_docs=not closed if settings.open_docs is None else settings.open_docs,
        open_metrics=not closed if settings.open_metrics is None else settings.open_metrics,
    )


def grpc_policy(policy: Policy) -> Policy:
    """Return the policy for gRPC: without the rules about pages in browsers, which cannot speak it."""
    return replace(policy, hosts=None, cors=None, root_path="")


def _items(text: str) -> list[str]:
    """Return the items of a list with commas."""
    return [item.strip() for item in text.split(",") if item.strip()]
