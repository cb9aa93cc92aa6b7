"""State database as a whole: created, migrated and checked when it is opened."""

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
from finops_pipeline.state.connect import begin_writing, connect
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
_MIGRATION_LOCK = 0x66696E6F7073  # any number that no other program locks; this one spells finops


@dataclass(frozen=True)
class Installation:
    """Installation that the data belongs to; never changes."""

    installation_id: str
    is_demo: bool
    currency: str
    created_at: datetime


class State:
    """Open state database."""

    def __init__(self, engine: Engine, installation: Installation, schedule: Schedule) -> None:
        """Create the parts that share an engine; :func:`open_state` calls this."""
        self.installation = installation
        self.ledger = Ledger(engine, schedule)
        self.lookback = Lookback(engine, self.ledger)
        self.bill_files = BillFiles(engine)
        self._engine = engine

    @contextmanager
    def snapshot(self) -> Iterator[LedgerSnapshot]:
        """Open a view of the ledger that does not change while it is open."""
        engine = self._engine
        if engine.dialect.name != "sqlite":  # where every transaction is a snapshot
            engine = engine.execution_options(isolation_level="REPEATABLE READ")
        with engine.connect() as connection:
            yield LedgerSnapshot(connection)

    def translate_errors(self) -> AbstractContextManager[None]:
        """Raise errors of the database's driver within the block as a ``StateError``."""
        return _translate_errors(self._engine)

    def verify(self) -> None:
        """Check that the database is whole, as far as it can tell.

        SQLite compares its tables with their indexes; PostgreSQL looks after itself.

        Raises:
            StateError: it is damaged; the message says how to mend it.
        """
        if self._engine.dialect.name != "sqlite":
            return
        with self.translate_errors(), self._engine.connect() as connection:
            (verdict, *_) = connection.exec_driver_sql("pragma integrity_check(1)").scalars()
        if verdict != "ok":
            raise StateError(
                f"the state database {self._engine.url!r} is damaged: {verdict}; {CURE}"
            )

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        """Return the state itself, closed at the end of the block."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close, also after an error."""
        self.close()


def open_state(
    url: str, *, is_demo: bool, currency: str, schedule: Schedule | None = None
) -> State:
    """Open the state database; create or migrate it where needed.

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
        existing = _open(engine, is_demo, currency)
        _require_same_installation(existing, is_demo, currency)
        on_failure.pop_all()
    return State(engine, existing, schedule or Schedule())


def _open(engine: Engine, is_demo: bool, currency: str) -> Installation:
    with _translate_errors(engine), begin_writing(engine) as connection:
        _migrate(connection)
        return _read_installation(connection, is_demo, currency)


@contextmanager
def _translate_errors(engine: Engine) -> Iterator[None]:
    """Raise our error in place of the driver's.

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
    revision = _read_revision(connection)
    if revision == REVISION:
        return
    if revision is not None and revision > REVISION:
        raise StateError(
            f"the state database has revision {revision}, this version of finops knows {REVISION}:"
            " install the version that was used last"
        )
    _run_migrations(connection)


def _read_revision(connection: Connection) -> str | None:
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


def _read_installation(connection: Connection, is_demo: bool, currency: str) -> Installation:
    """Read the row of the installation; create it when this is the first time."""
    row = connection.execute(select(installation)).one_or_none()
    if row:
        return Installation(**row._mapping)
    new = Installation(str(uuid4()), is_demo, currency, datetime.now(UTC))
    connection.execute(insert(installation), asdict(new))
    return new


def _require_same_installation(existing: Installation, is_demo: bool, currency: str) -> None:
    if existing.is_demo != is_demo:
        kinds = ("the demo", "a real one") if existing.is_demo else ("a real one", "the demo")
        raise StateError(
            f"this data folder belongs to {kinds[0]}, now it is opened for {kinds[1]}:"
            " name another data_dir in finops.toml, or delete the folder to start over"
        )
    if existing.currency != currency:
        raise StateError(
            f"this data folder holds costs in {existing.currency}, the settings say {currency}:"
            f' set currency = "{existing.currency}", or name another data_dir for {currency}'
        )
