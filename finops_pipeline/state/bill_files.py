"""Files of the bill folder as they were last looked at: a tick reads those that changed."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import date, datetime

from sqlalchemy import Connection, Engine, delete, select

from finops_pipeline.state.connect import begin_writing, upsert
from finops_pipeline.state.tables import bill_file


@dataclass(frozen=True)
class BillFile:
    """File as it was last looked at."""

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
        """The first days of its billing months."""
        return tuple(date.fromisoformat(f"{month}-01") for month in self.months.split())


class BillFiles:
    """Files of the bill folder that are remembered; each call is one transaction."""

    def __init__(self, engine: Engine) -> None:
        """Keep the engine; ``open_state`` calls this."""
        self._engine = engine

    def by_path(self) -> dict[str, BillFile]:
        """Return the remembered files by path."""
        with self._engine.connect() as connection:
            return {file.path: file for file in read_bill_files(connection)}

    def remember(self, files: Iterable[BillFile], removed_paths: Iterable[str]) -> None:
        """Remember files as they are now, and forget those that were removed."""
        rows = [vars(file) for file in files]
        values = [column.name for column in bill_file.c if not column.primary_key]
        with begin_writing(self._engine) as connection:
            upsert(connection, bill_file, rows, values)
            connection.execute(delete(bill_file).where(bill_file.c.path.in_(list(removed_paths))))

    def forget(self) -> None:
        """Forget everything: the next tick looks at every file again."""
        with begin_writing(self._engine) as connection:
            connection.execute(delete(bill_file))


def read_bill_files(connection: Connection) -> list[BillFile]:
    """Read the files that are remembered, in the order of their paths."""
    columns = [bill_file.c[field.name] for field in fields(BillFile)]
    query = select(*columns).order_by(bill_file.c.path)
    return [BillFile(*row) for row in connection.execute(query)]
