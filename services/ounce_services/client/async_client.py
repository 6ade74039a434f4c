"""`AsyncClient`: the same client for programs on asyncio."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from types import MappingProxyType
from typing import Any, Self

from ounce_services.client.answer import Answer, RefusedError
from ounce_services.client.client import Client

_SLICE_S = 0.05
"""Longest time that a thread waits for answers before it looks whether the loop goes on."""


class AsyncClient:
    """Asynchronous context manager: as `Client`; what blocks there runs on threads.

    ```python
    async with AsyncClient("localhost:9092", "occupancy") as client:
        answers = await asyncio.gather(*(client.ask(row) for row in rows))
    ```

    Args:
        kafka: as for `Client`, like the other arguments.
    """

    def __init__(
        self,
        kafka: str,
        task: str,
        *,
        timeout_s: float = 10.0,
        security: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        self._make = lambda: Client(kafka, task, timeout_s=timeout_s, security=security)
        self._client: Client | None = None

    async def __aenter__(self) -> Self:
        client = await asyncio.to_thread(self._make)
        self._client = await asyncio.to_thread(client.__enter__)
        return self

    async def __aexit__(self, *error: object) -> None:
        await asyncio.to_thread(self._entered.__exit__, *error)

    async def send(self, data: Any, **how: Any) -> str:
        """As `Client.send`."""
        return await asyncio.to_thread(self._entered.send, data, **how)

    async def ask(self, data: Any, **how: Any) -> Answer:
        """As `Client.ask`."""
        return await asyncio.to_thread(self._entered.ask, data, **how)

    async def label(self, id: str, **truth: Any) -> None:
        """As `Client.label`."""
        await asyncio.to_thread(self._entered.label, id, **truth)

    async def answers(self, timeout_s: float | None = None) -> AsyncIterator[Answer | RefusedError]:
        """As `Client.answers`."""
        loop = asyncio.get_running_loop()
        last_s = loop.time()
        while timeout_s is None or loop.time() - last_s < timeout_s:
            found = await asyncio.to_thread(lambda: list(self._entered.answers(_SLICE_S)))
            for answer in found:
                last_s = loop.time()
                yield answer

    @property
    def _entered(self) -> Client:
        if self._client is None:
            raise RuntimeError("use it as `async with AsyncClient(...) as client`")
        return self._client
