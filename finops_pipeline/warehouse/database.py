"""Open database: a connection, and transactions that tell caches when they are rolled back."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import duckdb


class Database:
    """Connection of one warehouse, and what is to be forgotten when a transaction fails."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Take over an open connection."""
        self.connection = connection
        self._forget: list[Callable[[], None]] = []

    def on_rollback(self, forget: Callable[[], None]) -> None:
        """Call a function after each rollback: what it remembers may never have been there."""
        self._forget.append(forget)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit everything in the block, or nothing."""
        self.connection.execute("begin")
        try:
            yield
        except BaseException:  # Ctrl-C too: the next must not see a half-filled table
            self.connection.execute("rollback")
            for forget in self._forget:
                forget()
            raise
        self.connection.execute("commit")
