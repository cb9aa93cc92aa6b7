"""The state database as a whole: made, migrated and checked when it is opened."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Self
from uuid import uuid4

from sqlalchemy import Connection, Engine, String, column, func, insert, inspect, select, table
from sqlalchemy.exc import DatabaseError

from finops_pipeline.errors import StateError
from finops_pipeline.state.bill_files import BillFiles
from finops_pipeline.state.connect import connect, writing
from finops_pipeline.state.ledger import Ledger
from finops_pipeline.state.ledger_snapshot import LedgerSnapshot
from finops_pipeline.state.lookback import Lookback
from finops_pipeline.state.schedule import Schedule
from finops_pipeline.state.tables import REVISION, installation

# What to do when the state database is damaged or lost.
CURE = (
    "stop the pipeline, move the state database away, and either put the backup back"
    " (finops restore) or make it anew from the lake (finops rebuild-ledger)"
)
_DAMAGE = ("malformed", "not a database", "disk I/O error")  # of SQLite
_MIGRATION_LOCK = 0x66696E6F7073  # any number nobody else locks; this one spells finops


@dataclass(frozen=True)
class Installation:
    """Whose data this is; never changes once made."""

    installation_id: str
    is_demo: bool
    currency: str
    created_at: datetime


class State:
    """An open state database."""

    def __init__(self, engine: Engine, installation: Installation, schedule: Schedule) -> None:
        """Made by :func:`open_state`."""
        self.installation = installation
        self.ledger = Ledger(engine, schedule)
        self.lookback = Lookback(engine, self.ledger)
        self.bill = BillFiles(engine)
        self._engine = engine

    @contextmanager
    def snapshot(self) -> Iterator[LedgerSnapshot]:
        """One unchanging view of the ledger, however many questions are asked of it."""
        engine = self._engine
        if engine.dialect.name != "sqlite":  # where every transaction is a snapshot
            engine = engine.execution_options(isolation_level="REPEATABLE READ")
        with engine.connect() as connection:
            yield LedgerSnapshot(connection)

    def told(self) -> AbstractContextManager[None]:
        """Within the block, what the driver says of the database is a ``StateError``."""
        return _told(self._engine)

    def verify(self) -> None:
        """See that the database is whole, as far as it can tell.

        SQLite compares its tables with their indexes; PostgreSQL looks after itself.

        Raises:
            StateError: it is damaged; the message says how to mend it.
        """
        if self._engine.dialect.name != "sqlite":
            return
        with self.told(), self._engine.connect() as connection:
            (first, *_) = connection.exec_driver_sql("pragma integrity_check(1)").scalars()
        if first != "ok":
            raise StateError(f"the state database {self._engine.url!r} is damaged: {first}; {CURE}")

    def close(self) -> None:
        """Let go of every connection."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        """The state itself, closed at the end of the block."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close, whatever happened."""
        self.close()


def open_state(
    url: str, *, is_demo: bool, currency: str, schedule: Schedule | None = None
) -> State:
    """Open the state database; made or migrated where needed.

    Args:
        url: of SQLAlchemy, such as ``sqlite:///data/state.db`` or ``postgresql+psycopg2://…``.
        is_demo: whether the data comes from the embedded pretend cluster.
        currency: of every cost and price.
        schedule: when windows are read; by default 5 min, 1 h and 24 h after their end.

    Raises:
        StateError: it cannot be opened, was made by a newer version, or belongs to another
            installation: a demo, or one in another currency.
    """
    engine = connect(url)
    with ExitStack() as on_failure:
        on_failure.callback(engine.dispose)
        found = _open(engine, is_demo, currency)
        _must_fit(found, is_demo, currency)
        on_failure.pop_all()
    return State(engine, found, schedule or Schedule())


def _open(engine: Engine, is_demo: bool, currency: str) -> Installation:
    with _told(engine), writing(engine) as connection:
        _migrate(connection)
        return _installation(connection, is_demo, currency)


@contextmanager
def _told(engine: Engine) -> Iterator[None]:
    """What a driver says of its database, as our error.

    Raises:
        StateError: it cannot be reached, or is no database, or is damaged.
    """
    try:
        yield
    except DatabaseError as error:
        cure = f"; {CURE}" if any(sign in str(error.orig) for sign in _DAMAGE) else ""
        raise StateError(
            f"cannot open the state database {engine.url!r}: {error.orig}{cure}"
        ) from error


def _migrate(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":  # an SQLite writer is alone anyway
        connection.execute(select(func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
    found = _revision(connection)
    if found == REVISION:
        return
    if found is not None and found > REVISION:
        raise StateError(
            f"the state database has revision {found}, this version of finops knows {REVISION}:"
            " install the version that was used last"
        )
    _run_migrations(connection)


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    version = column("version_num", String)
    query = select(version).select_from(table("alembic_version"))
    return connection.execute(query).scalar_one()


def _run_migrations(connection: Connection) -> None:
    from alembic import command  # half a second to import, and needed once per version
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "finops_pipeline.state:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, REVISION)


def _installation(connection: Connection, is_demo: bool, currency: str) -> Installation:
    """The installation row; made when this is the first time."""
    row = connection.execute(select(installation)).one_or_none()
    if row:
        return Installation(**row._mapping)
    made = Installation(str(uuid4()), is_demo, currency, datetime.now(UTC))
    connection.execute(insert(installation), asdict(made))
    return made


def _must_fit(found: Installation, is_demo: bool, currency: str) -> None:
    if found.is_demo != is_demo:
        made, now = ("the demo", "a real one") if found.is_demo else ("a real one", "the demo")
        raise StateError(
            f"this data folder belongs to {made}, now it is opened for {now}:"
            " name another data_dir in finops.toml, or delete the folder to start over"
        )
    if found.currency != currency:
        raise StateError(
            f"this data folder holds costs in {found.currency}, the settings say {currency}:"
            f' set currency = "{found.currency}", or name another data_dir for {currency}'
        )
