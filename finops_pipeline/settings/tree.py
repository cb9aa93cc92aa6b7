"""The settings of all sections together, and the documentation of each."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, cast

from pydantic import BaseModel, Field, SecretStr, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from finops_pipeline.settings.attribution import Attribution, Budget, Rule, Sharing, Team
from finops_pipeline.settings.clusters import Cluster, Price, refuse_twins, token_variables
from finops_pipeline.settings.sections import (
    Alerts,
    Bill,
    Calendar,
    Ingest,
    Metrics,
    Nodes,
    Retention,
)
from finops_pipeline.settings.values import PREFIX, DatabaseUrl, DataFolder, Lenient, key

# Kubecost merges hours into days, adjusted to the cloud's bill, after 48 h.
KUBECOST_REREAD_HOURS = 49
WEBHOOK = "alerts.webhook_url"  # may hold a token


class Settings(BaseSettings):
    """Settings of an installation."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", strict=True, env_prefix=PREFIX, env_nested_delimiter="__"
    )

    currency: str = key(
        "The one currency of all clusters' prices; nothing is converted",
        "ISO 4217",
        default="USD",
        pattern=r"^[A-Z]{3}$",
    )
    data_dir: DataFolder = key(
        "Folder of the lake, the state database and finops.duckdb", default=Path("data")
    )
    is_demo: bool = key("Mark all data as pretended, wherever it is shown", default=False)
    state_url: DatabaseUrl = key(
        "SQLAlchemy URL of the state database; empty: SQLite in data_dir",
        default=SecretStr(""),
    )
    ingest: Ingest = Field(default_factory=Ingest)
    attribution: Attribution = Field(default_factory=Attribution)
    sharing: Sharing = Field(default_factory=Sharing)
    calendar: Calendar = Field(default_factory=Calendar)
    nodes: Nodes = Field(default_factory=Nodes)
    retention: Retention = Field(default_factory=Retention)
    metrics: Metrics = Field(default_factory=Metrics)
    bill: Bill = Field(default_factory=Bill)
    alerts: Alerts = Field(default_factory=Alerts)
    teams: Annotated[tuple[Team, ...], Lenient] = ()
    budgets: Annotated[tuple[Budget, ...], Lenient] = ()
    clusters: Annotated[tuple[Cluster, ...], Lenient] = Field(
        description="The clusters that are read; as a variable: JSON of the list"
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take only what ``load`` hands over: it knows which file or variable a value is from."""
        return (init_settings,)

    @field_validator("clusters")
    @classmethod
    def _refuse_twins(cls, clusters: tuple[Cluster, ...]) -> tuple[Cluster, ...]:
        return refuse_twins(clusters)

    def last_reread_hours(self) -> dict[str, int]:
        """Return the age of one more reading, of the clusters that have one [hours]."""
        kubecosts = (cluster for cluster in self.clusters if cluster.is_kubecost)
        return {cluster.name: KUBECOST_REREAD_HOURS for cluster in kubecosts}

    def database_url(self) -> str:
        """Return the SQLAlchemy URL of the state database, with its password: not for printing."""
        return self.state_url.get_secret_value() or f"sqlite:///{self.data_dir / 'state.db'}"

    def masked(self) -> dict[str, object]:
        """Return the value of each dotted key, for people: secrets are masked."""
        return dict(_flat(self.model_dump(mode="json")))


LISTS: dict[str, type[BaseModel]] = {
    "clusters": Cluster,
    "prices": Price,
    "rules": Rule,
    "teams": Team,
    "budgets": Budget,
}


@dataclass(frozen=True)
class Key:
    """A setting, as the documentation names it."""

    key: str  # "ingest.lookback_days"; of a cluster: "clusters[].name"
    variable: str  # that sets it
    default: object  # None also when it has to be given: see is_required
    is_required: bool
    is_secret: bool  # not taken from finops.toml
    unit: str
    text: str


def describe() -> list[Key]:
    """Return every setting there is, in the order of ``finops.example.toml``."""
    return [
        Key(
            name,
            variable=variable(name),
            default=None if field.is_required() else field.get_default(call_default_factory=True),
            is_required=field.is_required(),
            is_secret=name.endswith("_token") or name == WEBHOOK,
            unit=str(cast(dict[str, str], field.json_schema_extra)["unit"]),
            text=field.description or "",
        )
        for name, field in _leaves(Settings)
    ]


def variable(name: str) -> str:
    """Return the variable that sets a key."""
    if name.endswith("_token") and "[]" in name:
        return token_variables("<name>")[name.endswith("prometheus_token")]
    outermost = re.sub(r"(\[\]|\.[0-9]).*", "", name)  # a list is one variable as a whole
    return PREFIX + outermost.upper().replace(".", "__")


def _leaves(model: type[BaseModel], above: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Yield dotted key and field of each setting; a list of tables is one step, ``clusters[]``."""
    for name, field in model.model_fields.items():
        table = LISTS.get(name, field.annotation)
        if isinstance(table, type) and issubclass(table, BaseModel):
            yield from _leaves(table, f"{above}{name}{'[]' if name in LISTS else ''}.")
        else:
            yield above + name, field


def _flat(value: Any, above: str = "") -> Iterator[tuple[str, object]]:
    """Yield the leaves of nested tables and lists of tables, by dotted key."""
    if isinstance(value, list) and value and isinstance(value[0], dict):
        value = {str(number): item for number, item in enumerate(value)}
    if isinstance(value, dict) and value:
        for name, item in value.items():
            yield from _flat(item, f"{above}.{name}" if above else name)
    else:
        yield above, value
