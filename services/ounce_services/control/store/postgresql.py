"""Connections with PostgreSQL that wait for ever for nothing: neither for the host, nor for the
server, nor for somebody else's lock."""

import time
from collections.abc import Generator
from typing import Any

import psycopg
from sqlalchemy import URL, Engine, create_engine, event

_SETTINGS = {
    "client_encoding": "utf8",  # also in databases of no encoding (SQL_ASCII)
    "connect_timeout": 10,  # s
    "tcp_user_timeout": 10_000,  # ms; a host that is gone would else be waited for a quarter hour
    "keepalives_idle": 10,  # s; for who waits for an answer
    "keepalives_interval": 5,
}
"""What libpq is told, where the URL does not say other."""
_STATEMENT_S = 10
"""Of a statement, with its wait for locks; the server ends it."""
_IDLE_S = 30
"""So long a control plane that is frozen within a transaction may hold locks."""
_SILENT_S = 12.0
"""A server that is frozen, while its host is not, ends nothing."""


class BoundedConnection(psycopg.Connection[Any]):
    """One that is closed where the server is silent for too long."""

    silent_s = _SILENT_S

    def wait(self, gen: Generator[Any, Any, Any], *args: Any, **more: Any) -> Any:
        """See psycopg.

        Raises:
            OperationalError: nothing came.
        """
        return super().wait(self._within_time(gen), *args, **more)

    def _within_time(self, gen: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
        try:
            state = next(gen)
            heard_s = time.monotonic()
            while True:
                ready = yield state
                now_s = time.monotonic()
                if ready:
                    heard_s = now_s
                elif now_s - heard_s > self.silent_s:
                    self.close()
                    raise psycopg.OperationalError(
                        f"the server has not answered for {now_s - heard_s:.0f} s"
                    )
                state = gen.send(ready)
        except StopIteration as e:
            return e.value


def open_postgresql(url: URL, pool_s: float) -> Engine:
    """An engine whose connections are bounded.

    Args:
        url: of the database.
        pool_s: to wait for one of the connections that others use.
    """
    settings = {name: value for name, value in _SETTINGS.items() if name not in url.query}
    engine = create_engine(url, pool_pre_ping=True, pool_timeout=pool_s, connect_args=settings)

    @event.listens_for(engine, "do_connect")
    def _connect(dialect: Any, record: Any, arguments: Any, named: Any) -> BoundedConnection:
        connection = BoundedConnection.connect(*arguments, **named)
        # Not among libpq's options: poolers such as PgBouncer refuse those.
        connection.execute(f"SET statement_timeout = '{_STATEMENT_S}s'")
        connection.execute(f"SET idle_in_transaction_session_timeout = '{_IDLE_S}s'")
        connection.commit()
        return connection

    return engine
