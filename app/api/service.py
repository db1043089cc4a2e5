"""What every route needs: the models, the threads beside them and the settings, found on the application."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, TypeVar

from fastapi import Depends, Path, Request

from app.engine.autoencoder import Autoencoder
from app.engine.batching import Batcher
from app.engine.repository import VERSION, ModelRepository
from app.engine.served import ServedModel
from app.errors import TooManyRows
from app.manifest import Manifest
from app.settings import Settings

Result = TypeVar("Result")

ModelName = Annotated[str, Path(description="Name of a model, as GET /v1/models lists them.")]
VersionNumber = Annotated[str, Path(description="A version of the model: a whole number from 1.")]


class Service:
    """One application's state. `threads` read and write what is too large for the event loop, as many at once."""

    def __init__(self, settings: Settings, repository: ModelRepository, batcher: Batcher, threads: int) -> None:
        self.settings = settings
        self.repository = repository
        self.ready = False
        """True between start-up and shutdown."""
        self.threads = threads
        self._batcher = batcher
        self._served = {model: ServedModel(model, batcher) for model in repository.all_versions()}
        self._formats = ThreadPoolExecutor(threads, thread_name_prefix="formats")

    def model(self, name: str, version: str | None = None) -> ServedModel:
        """A version of a model, its largest where none is named. Raises UnknownModel or UnknownVersion."""
        number = int(version) if version and VERSION.fullmatch(version) else version and version[:20]
        return self._served[self.repository.get(name, number)]

    def all_models(self) -> Iterable[ServedModel]:
        """Every version of every model; of one model, the smallest version first."""
        return self._served.values()

    def bound_rows(self, rows: int, manifest: Manifest) -> int:
        """The same number, of a model's samples, or of latents that become samples. Raises TooManyRows."""
        most = min(self.settings.max_rows, max(1, self.settings.max_numbers // manifest.input_size))
        if rows > most:
            raise TooManyRows(f"expected at most {most} rows at once, got {rows}")
        return rows

    async def off_the_loop(self, call: Callable[[], Result]) -> Result:
        """What a call gives, on a thread: one image alone may take a hundred megabytes, so few run at once."""
        return await asyncio.get_running_loop().run_in_executor(self._formats, call)

    def close(self) -> None:
        """Finish what was accepted, then end the threads."""
        self.ready = False
        self._batcher.close()
        self._formats.shutdown(wait=True)


def service(request: Request) -> Service:
    """The service of the application that got the request."""
    found: Service = request.app.state.service
    return found


CurrentService = Annotated[Service, Depends(service)]


def named_model(service: CurrentService, model: ModelName) -> Autoencoder:
    """The largest version of the model that the path names."""
    return service.repository.get(model)


def named_version(service: CurrentService, model: ModelName, version: VersionNumber) -> Autoencoder:
    """The version that the path names."""
    return service.model(model, version).model


NamedModel = Annotated[Autoencoder, Depends(named_model)]
NamedVersion = Annotated[Autoencoder, Depends(named_version)]
