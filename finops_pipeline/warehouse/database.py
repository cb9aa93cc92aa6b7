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
        """Call a function whenever nothing is committed: what it remembers was never there."""
        self._forget.append(forget)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit everything in the block, or nothing."""
        is_committed = False
        self.connection.execute("begin")
        try:
            with self._rollback_on_error():
                yield
            self.connection.execute("commit")  # which may fail, too, and has rolled back then
            is_committed = True
        finally:
            for forget in [] if is_committed else self._forget:
                forget()

    @contextmanager
    def _rollback_on_error(self) -> Iterator[None]:
        try:
            yield
        except BaseException:  # Ctrl-C too: the next must not see a half-filled table
            self.connection.execute("rollback")
            raise
