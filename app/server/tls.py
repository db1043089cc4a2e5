"""TLS: the check of a certificate and its key before the server starts."""

from __future__ import annotations

import ssl
from pathlib import Path

from app.errors import StartupError


def check_certificate(certificate: Path | None, key: Path | None) -> None:
    """Raise StartupError unless a certificate, if there is one, and its key fit together."""
    if certificate is None:
        if key is not None:
            raise StartupError("HOURGLASS_SSL_KEYFILE: expected HOURGLASS_SSL_CERTFILE as well, got none")
        return
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, key, password=_refuse_password)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise StartupError(f"HOURGLASS_SSL_CERTFILE: {certificate} and its key cannot be used: {reason}") from error


def _refuse_password() -> str:
    raise ValueError("the key has a password")
