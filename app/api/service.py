"""What every route needs: the models, the threads that run them and the settings, found on the application."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from anyio import CapacityLimiter
from fastapi import Depends, Path, Request

from app.engine.autoencoder import Autoencoder
from app.engine.repository import VERSION, ModelRepository
from app.engine.runner import Runner
from app.errors import TooManyRows
from app.settings import Settings


@dataclass
class Service:
    """One application's state."""

    settings: Settings
    repository: ModelRepository
    runner: Runner
    image_limiter: CapacityLimiter
    """Images that are decoded at once: one may take a hundred megabytes."""
    ready: bool = False
    """True between start-up and shutdown."""

    def bound_rows(self, rows: int) -> int:
        """The same number. Raises TooManyRows."""
        if rows > self.settings.max_rows:
            raise TooManyRows(f"expected at most {self.settings.max_rows} rows at once, got {rows}")
        return rows


def service(request: Request) -> Service:
    """The service of the application that got the request."""
    found: Service = request.app.state.service
    return found


def version_number(
    version: Annotated[str, Path(description="A version of the model: a whole number from 1.")],
) -> str:
    """Declares the path parameter of the routes that name a version."""
    return version


def served_model(
    request: Request,
    service: CurrentService,
    model: Annotated[str, Path(description="Name of a model, as GET /v1/models lists them.")],
) -> Autoencoder:
    """The model that the path names; its largest version where it names none."""
    version = request.path_params.get("version")
    if version is None:
        return service.repository.get(model)
    return service.repository.get(model, int(version) if VERSION.fullmatch(version) else version[:20])


CurrentService = Annotated[Service, Depends(service)]
ServedModel = Annotated[Autoencoder, Depends(served_model)]
