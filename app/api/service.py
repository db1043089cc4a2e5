"""What every route needs: the models, the threads that run them and the settings, found on the application."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Path, Request

from app.engine.autoencoder import Autoencoder
from app.engine.repository import ModelRepository
from app.engine.runner import Runner
from app.errors import TooManyRows
from app.settings import Settings


@dataclass
class Service:
    """One application's state."""

    settings: Settings
    repository: ModelRepository
    runner: Runner
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


def version_number(version: Annotated[int, Path(ge=1, description="A version of the model.", examples=[1])]) -> int:
    """Declares the path parameter of the routes that name a version."""
    return version


def served_model(
    request: Request,
    service: CurrentService,
    model: Annotated[str, Path(description="Name of a model, as GET /v1/models lists them.")],
) -> Autoencoder:
    """The model that the path names; its largest version where it names none."""
    version = request.path_params.get("version")
    return service.repository.get(model, None if version is None else int(version))


CurrentService = Annotated[Service, Depends(service)]
ServedModel = Annotated[Autoencoder, Depends(served_model)]
