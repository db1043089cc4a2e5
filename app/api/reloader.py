"""The reloader: it looks at the model repository again and again, and swaps the catalog between two requests."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from time import monotonic

import structlog

from app.engine.catalog import Catalog
from app.engine.process import return_memory
from app.engine.reload import RepositoryReader
from app.engine.served import ServedModel
from app.errors import LoadFailed

log = structlog.get_logger(__name__)

MAX_LAST_REQUESTS_SECONDS = 60.0
"""The longest wait for the last requests of replaced models, after which memory is returned without theirs."""
LAST_REQUESTS_POLL_SECONDS = 0.1


class Reloader:
    """
    Versions are read on a thread, one look at a time, and the catalog is swapped on the event loop.

    A request in flight keeps its model. Once the last such request is answered, the memory of the models that were
    replaced goes back to the system. All methods are called on the event loop's thread.
    """

    def __init__(self, reader: RepositoryReader, swap: Callable[[Catalog], None], seconds: float) -> None:
        self._reader = reader
        self._catalog = reader.catalog
        self._swap = swap
        self._seconds = seconds
        """Seconds between two looks; 0: look only when asked."""
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="reload")
        self._lock = asyncio.Lock()
        self._asked = asyncio.Event()
        self._tasks: set[asyncio.Task[object]] = set()

    def start(self) -> None:
        """Begin to look."""
        self._lock, self._asked = asyncio.Lock(), asyncio.Event()  # an application may start in more than one loop
        self._spawn(self._watch())

    def ask(self) -> None:
        """Look now, also at versions that were written a moment ago."""
        self._asked.set()

    async def load_model(self, name: str) -> None:
        """Load a model's versions now. Raises UnknownModel, or LoadFailed if one of them is invalid."""
        await asyncio.shield(self._spawn(self._update(partial(self._reader.load_model, name))))
        problems = [problem for problem in self._catalog.problems if problem.name == name]
        if problems:
            raise LoadFailed("; ".join(f"{name} version {problem.version}: {problem.reason}" for problem in problems))

    async def unload_model(self, name: str) -> None:
        """Remove a model until it is loaded again. Raises UnknownModel or Refused."""
        await asyncio.shield(self._spawn(self._update(partial(self._reader.unload_model, name))))

    def close(self) -> None:
        """Look no more."""
        for task in self._tasks:
            task.cancel()
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _watch(self) -> None:
        while True:
            asked = await self._wait()
            try:
                await self._update(partial(self._reader.look, patient=not asked))
            except Exception:  # the next look may succeed, and the models are served meanwhile
                log.exception("reload failed")

    async def _wait(self) -> bool:
        """Wait for the next look. Return True if somebody asked for it."""
        try:
            async with asyncio.timeout(self._seconds or None):
                await self._asked.wait()
        except TimeoutError:
            return False
        self._asked.clear()
        return True

    async def _update(self, read: Callable[[], Catalog]) -> None:
        """Call the reader on the thread, and swap the catalog if another one comes back."""
        async with self._lock:
            catalog = await asyncio.get_running_loop().run_in_executor(self._pool, read)
            if catalog is self._catalog:
                return
            kept = {id(model) for model in catalog.all_versions()}
            replaced = [weakref.ref(model) for model in self._catalog.all_versions() if id(model) not in kept]
            self._catalog = catalog
            self._swap(catalog)
            if replaced:
                self._spawn(self._release(replaced))

    async def _release(self, models: list[weakref.ref[ServedModel]]) -> None:
        """Return memory to the system once the models are gone."""
        end = monotonic() + MAX_LAST_REQUESTS_SECONDS
        while any(model() is not None for model in models) and monotonic() < end:
            await asyncio.sleep(LAST_REQUESTS_POLL_SECONDS)
        await asyncio.get_running_loop().run_in_executor(self._pool, return_memory)

    def _spawn(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        """Run a coroutine as a task of its own: it goes on when the client that asked for it disconnects."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
