"""A client for programs and people: sends requests of one task and gives back what came of them."""

from ounce_services.client.answer import Answer, RefusedError
from ounce_services.client.async_client import AsyncClient
from ounce_services.client.client import Client, TooLargeError

__all__ = ["Answer", "AsyncClient", "Client", "RefusedError", "TooLargeError"]
