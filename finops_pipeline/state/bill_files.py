"""What was seen of the files in the bill folder: a tick reads those that changed."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import date, datetime

from sqlalchemy import Connection, Engine, delete, select

from finops_pipeline.state.connect import upsert, writing
from finops_pipeline.state.tables import bill_file


@dataclass(frozen=True)
class BillFile:
    """A file as it was last looked at."""

    path: str  # within the bill folder
    size_bytes: int
    modified_at_ns: int  # by the file system, since 1970
    read_at: datetime  # when this version was looked at
    failure: str | None = None  # why it was refused; the version before then still counts
    sha256: str | None = None  # of what the last version that counts holds
    months: str = ""  # billing months of that: "2026-10 2026-11"

    @property
    def stamp(self) -> tuple[int, int]:
        """Changes whenever the file is written."""
        return self.size_bytes, self.modified_at_ns

    @property
    def first_days(self) -> tuple[date, ...]:
        """First days of its billing months."""
        return tuple(date.fromisoformat(f"{month}-01") for month in self.months.split())


class BillFiles:
    """What is remembered of the bill folder; each call is one transaction."""

    def __init__(self, engine: Engine) -> None:
        """Made by ``open_state``."""
        self._engine = engine

    def all(self) -> dict[str, BillFile]:
        """Files by path."""
        with self._engine.connect() as connection:
            return {file.path: file for file in bill_files(connection)}

    def remember(self, seen: Iterable[BillFile], gone: Iterable[str]) -> None:
        """Keep what was seen of some files, and forget those that are gone."""
        rows = [vars(file) for file in seen]
        values = [column.name for column in bill_file.c if not column.primary_key]
        with writing(self._engine) as connection:
            upsert(connection, bill_file, rows, values)
            connection.execute(delete(bill_file).where(bill_file.c.path.in_(list(gone))))

    def forget(self) -> None:
        """Forget everything: the next tick looks at every file again."""
        with writing(self._engine) as connection:
            connection.execute(delete(bill_file))


def bill_files(connection: Connection) -> list[BillFile]:
    """Every file that is remembered, in the order of their paths."""
    columns = [bill_file.c[field.name] for field in fields(BillFile)]
    query = select(*columns).order_by(bill_file.c.path)
    return [BillFile(*row) for row in connection.execute(query)]
