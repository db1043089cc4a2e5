"""The server's address and the keys of requests in the OpenAPI document, which depend on the settings."""

from __future__ import annotations

from typing import Any

from app.api.docs.errors import GUARD_ERRORS, RESPONSE_REF
from app.server.guard.guard import HEALTH, required_scope
from app.settings import Settings

SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A key in the header Authorization."},
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "A key in the header X-API-Key."},
}
UNAUTHORIZED, FORBIDDEN, TOO_MANY_REQUESTS = ({"$ref": RESPONSE_REF.format(error.__name__)} for error in GUARD_ERRORS)


def describe_access(document: dict[str, Any], settings: Settings) -> None:
    """
    Add the server's address, its scheme of keys if it has any, and the errors of keys and of limits.

    Responses that no operation refers to are removed.
    """
    document["servers"] = [{"url": settings.root_path or "/", "description": "This server."}]
    document["security"] = [{name: []} for name in SCHEMES] if settings.keys_file else []
    if settings.keys_file:
        document["components"]["securitySchemes"] = SCHEMES
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if path not in HEALTH:
                operation["responses"] |= _refusals(method.upper(), path, settings, operation["responses"])
            elif settings.keys_file:
                operation["security"] = []
    responses = document["components"]["responses"]
    for name in [name for name in responses if f"'{RESPONSE_REF.format(name)}'" not in str(document["paths"])]:
        del responses[name]


def _refusals(method: str, path: str, settings: Settings, answers: dict[str, Any]) -> dict[str, Any]:
    """Return the guard's answers to an operation, without those that the operation has."""
    refusals = {}
    if settings.keys_file:
        refusals["401"] = UNAUTHORIZED
        if required_scope(method, path):
            refusals["403"] = FORBIDDEN
    if settings.rate_limit:
        refusals["429"] = TOO_MANY_REQUESTS
    return {status: answer for status, answer in refusals.items() if status not in answers}
