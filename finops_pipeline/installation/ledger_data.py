"""Hands the warehouse what lake and ledger hold: content hashes, files, the ledger's own rows."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa

from finops_pipeline.installation.source_registry import SOURCES
from finops_pipeline.lake.files import Lake
from finops_pipeline.settings import Price, Settings, as_opencost_writes_it
from finops_pipeline.state.database import Installation as Identity
from finops_pipeline.state.ledger_snapshot import LedgerSnapshot
from finops_pipeline.state.window import RAW
from finops_pipeline.units import GB, GIB, MONTH_HOURS
from finops_pipeline.warehouse.fingerprints import Slots

_FIRST, _LAST = (datetime(year, 1, 1, tzinfo=UTC) for year in (2000, 2200))


class LedgerData:
    """An unchanging view of everything the tables are made from."""

    def __init__(
        self,
        snapshot: LedgerSnapshot,
        lake: Lake,
        settings: Settings,
        identity: Identity,
        lookback: tuple[datetime, datetime],
    ) -> None:
        """Args: a snapshot of the ledger, and the range of windows that are asked for."""
        self._snapshot = snapshot
        self._lake = lake
        self._settings = settings
        self._identity = identity
        self._lookback = lookback
        self._small_tables: dict[str, pa.Table] = {}
        self._verified_paths: set[str] = set()

    def day_hashes(self, table: str) -> Slots:
        """Return the content hash by day of a table of lake or ledger; by None if it does not grow.

        Of a table whose rows hold for some days, by None and by the days that were read.
        """
        if table in _BY_MARK:
            return _slots(self._snapshot.day_marks())
        if table in _WITH_VALIDITY:
            return self._hashes_by_validity(table, {day: day for day in self._days()})
        if table in _SMALL:
            return {None: _content(self._small(table))}
        return _slots(self._snapshot.day_hashes().get(table, {}))

    def hour_hashes(self, table: str, day: datetime) -> Slots:
        """Return the content hashes of a table by the hours of one day."""
        if table in _BY_MARK:
            return _slots(self._snapshot.hour_marks(day))
        if table in _WITH_VALIDITY:
            return self._hashes_by_validity(table, {hour: day for hour in self._hours(day)})
        if table in _SMALL:
            return self.day_hashes(table)
        return _slots(self._snapshot.hour_hashes(day).get(table, {}))

    def files(self, table: str, start: datetime, end: datetime) -> list[Path]:
        """List the current lake files of a raw table with windows of ``[start, end)``, verified.

        Raises:
            LakeDamaged: one is missing, or does not have the hash that the ledger knows.
        """
        current = self._snapshot.current_files(table, start, end)
        for file in current:
            if file.path not in self._verified_paths:  # several tables read the same files
                self._lake.verify(file.path, file.file_sha256)
                self._verified_paths.add(file.path)
        return [self._lake.absolute(file.path) for file in current]

    def current_files(self, table: str) -> list[Path]:
        """List every current lake file of a raw table; all are there, and none is cut.

        Raises:
            LakeDamaged: one is missing or cut.
        """
        current = self._snapshot.current_files(table, _FIRST, _LAST)
        for file in current:
            self._lake.verify_size(file.path, file.size_bytes)
        return [self._lake.absolute(file.path) for file in current]

    def frozen_day_hashes(self, table: str) -> Slots:
        """Return the content hash by day of the frozen days of a table: raw rows may be gone."""
        return _slots(self._snapshot.day_hashes().get(table, {}))

    def rows(self, table: str, start: datetime, end: datetime) -> pa.Table:
        """Return the rows of a table of the ledger; all of them when it does not grow."""
        if table == "core.window":
            return self._snapshot.windows(start, end)
        if table == "core.restatement":
            return self._snapshot.restatements(start, end)
        return self._small(table)

    def _small(self, table: str) -> pa.Table:
        if table not in self._small_tables:
            self._small_tables[table] = _SMALL[table](self)
        return self._small_tables[table]

    def _hashes_by_validity(self, table: str, slots: Mapping[datetime, datetime]) -> Slots:
        """Return the hash of a table, and by slot that of the rows costs are made of on its day."""
        rows = self._small(table)
        counting = rows.drop_columns(_WITH_VALIDITY[table]).to_pylist()
        days = {day: [row for row in counting if _holds(row, day)] for day in slots.values()}
        hashes = {day: _hash(rows) for day, rows in days.items()}
        return {None: _content(rows), **{slot: hashes[day] for slot, day in slots.items()}}

    def _days(self) -> set[datetime]:
        """Return the days of which something was read and is still there."""
        return _of_raw(self._snapshot.day_hashes())

    def _hours(self, day: datetime) -> set[datetime]:
        return _of_raw(self._snapshot.hour_hashes(day))

    def _clusters(self) -> pa.Table:
        instant = pa.timestamp("us", "UTC")
        rows = [
            {"cluster": cluster.name, "source": source.name, **vars(progress)}
            for cluster in self._settings.clusters
            for source in SOURCES
            if source.is_asked(cluster)
            for progress in [
                self._snapshot.progress(
                    source.tables, cluster.name, *self._lookback, source.required_tables
                )
            ]
        ]
        times = ["complete_until", "newest_window_start", "last_read_at", "last_failed_at"]
        schema = [
            ("cluster", pa.string()),
            ("source", pa.string()),
            *((name, instant) for name in times),
        ]
        return pa.Table.from_pylist(rows, pa.schema([*schema, ("last_failure", pa.string())]))

    def _installation(self) -> pa.Table:
        row = {
            "installation_id": self._identity.installation_id,
            "currency": self._identity.currency,
            "is_demo": self._identity.is_demo,
            "version": version("finops-pipeline"),
        }
        return pa.Table.from_pylist([row])

    def _price_list(self) -> pa.Table:
        rows = [
            {"cluster": cluster.name, **vars(price), **_per_hour(price)}
            for cluster in self._settings.clusters
            for price in cluster.prices
        ]
        return pa.Table.from_pylist(rows, _PRICES)

    def _bill_files(self) -> pa.Table:
        names = ("path", "size_bytes", "read_at", "failure", "sha256")
        rows = [
            {"billing_months": file.months, **{name: getattr(file, name) for name in names}}
            for file in self._snapshot.bill_files()
        ]
        return pa.Table.from_pylist(rows, _BILL_FILES)

    def _bill_accounts(self) -> pa.Table:
        rows = [
            {
                "cluster": cluster.name,
                "sub_account_id": account,
                "tags": json.dumps(cluster.bill_tags),
            }
            for cluster in self._settings.clusters
            for account in cluster.bill_accounts
        ]
        names = ("cluster", "sub_account_id", "tags")
        return pa.Table.from_pylist(rows, pa.schema([(name, pa.string()) for name in names]))

    def _node_pool_labels(self) -> pa.Table:
        labels = [as_opencost_writes_it(label) for label in self._settings.nodes.pool_labels]
        return _in_order("label", labels)

    def _cost_labels(self) -> pa.Table:
        keys = self._settings.attribution.cost_labels
        return _in_order("label", [as_opencost_writes_it(label) for label in keys])

    def _shared_namespaces(self) -> pa.Table:
        return _in_order("namespace_pattern", self._settings.sharing.shared_namespaces)

    def _attribution_rules(self) -> pa.Table:
        rows = [
            {
                **vars(rule),
                "position_count": position,
                "rule": rule.name,
                "cluster_pattern": rule.cluster,
                "namespace_pattern": rule.namespace,
                "workload_pattern": rule.workload,
            }
            for position, rule in enumerate(self._settings.attribution.rules)
        ]
        return pa.Table.from_pylist(rows, _RULES)

    def _teams(self) -> pa.Table:
        rows = [{**vars(team), "team": team.name} for team in self._settings.teams]
        return pa.Table.from_pylist(rows, _TEAMS)

    def _budgets(self) -> pa.Table:
        return pa.Table.from_pylist([vars(budget) for budget in self._settings.budgets], _BUDGETS)

    def _label_keys(self) -> pa.Table:
        attribution = self._settings.attribution
        labels = {
            "team": attribution.team_labels,
            "environment": attribution.environment_labels,
            "project": attribution.project_labels,
            "cost_center": attribution.cost_center_labels,
        }
        rows = [
            {"owner_part": part, "position_count": position, "label": as_opencost_writes_it(key)}
            for part, keys in labels.items()
            for position, key in enumerate(keys)
        ]
        schema = [
            ("owner_part", pa.string()),
            ("position_count", pa.int32()),
            ("label", pa.string()),
        ]
        return pa.Table.from_pylist(rows, pa.schema(schema))


# Names of the settings are for people; tables of costs count in hours and GiB.
_PRICES = pa.schema(
    [
        ("cluster", pa.string()),
        ("node_pool", pa.string()),
        ("cpu_core_hour_price", pa.float64()),
        ("memory_gib_hour_price", pa.float64()),
        ("gpu_hour_price", pa.float64()),
        ("storage_gib_hour_price", pa.float64()),
        ("load_balancer_hour_price", pa.float64()),
        ("discount_ratio", pa.float64()),
        ("is_preferred", pa.bool_()),
    ]
)
_VALIDITY = [("valid_from", pa.date32()), ("valid_until", pa.date32())]
_RULES = pa.schema(
    [
        ("position_count", pa.int32()),
        ("rule", pa.string()),
        ("cluster_pattern", pa.string()),
        ("namespace_pattern", pa.string()),
        ("workload_pattern", pa.string()),
        ("team", pa.string()),
        ("environment", pa.string()),
        ("project", pa.string()),
        ("cost_center", pa.string()),
        *_VALIDITY,
    ]
)
_TEAMS = pa.schema(
    [
        ("team", pa.string()),
        ("owner", pa.string()),
        ("email", pa.string()),
        ("channel", pa.string()),
        ("cost_center", pa.string()),
        ("project", pa.string()),
        ("shared_weight", pa.float64()),
        *_VALIDITY,
    ]
)
_BUDGETS = pa.schema(
    [
        ("scope", pa.string()),
        ("name", pa.string()),
        ("month_amount", pa.decimal128(28, 10)),
        *_VALIDITY,
    ]
)
_BILL_FILES = pa.schema(
    [
        ("path", pa.string()),
        ("size_bytes", pa.int64()),
        ("read_at", pa.timestamp("us", "UTC")),
        ("failure", pa.string()),
        ("billing_months", pa.string()),
        ("sha256", pa.string()),
    ]
)
# Tables of the ledger that grow: a mark differs when any row of the time does.
_BY_MARK = {"core.window", "core.restatement"}
OF_LEDGER = {*_BY_MARK, "core.cluster"}
# Tables of a few rows that are made anew each time, once they are asked for.
_SMALL: dict[str, Callable[[LedgerData], pa.Table]] = {
    "core.attribution_rule": LedgerData._attribution_rules,
    "core.bill_account": LedgerData._bill_accounts,
    "core.bill_file": LedgerData._bill_files,
    "core.budget": LedgerData._budgets,
    "core.cluster": LedgerData._clusters,
    "core.cost_label": LedgerData._cost_labels,
    "core.installation": LedgerData._installation,
    "core.label_key": LedgerData._label_keys,
    "core.node_pool_label": LedgerData._node_pool_labels,
    "core.price_list": LedgerData._price_list,
    "core.shared_namespace": LedgerData._shared_namespaces,
    "core.team": LedgerData._teams,
}
# Those of them whose rows hold for some days, and change no other days of what is made from them;
# and their columns that no cost is made of: rows have an order, contacts are read through a view.
_WITH_VALIDITY = {
    "core.attribution_rule": ["position_count"],
    "core.team": ["owner", "email", "channel"],
}


def _slots(contents: Mapping[datetime, str]) -> Slots:
    return {slot: content for slot, content in contents.items()}  # noqa: C416  # widens the key


def _per_hour(price: Price) -> dict[str, float | None]:
    """Convert prices by month, as clouds state them, to hours, and of storage to GiB."""
    storage, balancer = price.storage_gb_month_price, price.load_balancer_month_price
    return {
        "storage_gib_hour_price": storage and storage * GIB / GB / MONTH_HOURS,
        "load_balancer_hour_price": balancer and balancer / MONTH_HOURS,
    }


def _content(rows: pa.Table) -> str:
    return _hash(rows.to_pylist())


def _hash(rows: list[dict[str, Any]]) -> str:
    return hashlib.sha256(repr(rows).encode()).hexdigest()


def _holds(row: Mapping[str, Any], day: datetime) -> bool:
    """Return whether a row with ``valid_from`` and ``valid_until`` holds on a day."""
    start, end = row["valid_from"] or date.min, row["valid_until"] or date.max
    return bool(start <= day.date() < end)


def _of_raw(contents: Mapping[str, Mapping[datetime, str]]) -> set[datetime]:
    return {slot for name, slots in contents.items() if name.startswith(RAW) for slot in slots}


def _in_order(name: str, values: Sequence[str]) -> pa.Table:
    schema = pa.schema([("position_count", pa.int32()), (name, pa.string())])
    return pa.table({"position_count": range(len(values)), name: values}, schema)
