"""Every knob, with its default and unit: read from ``finops.toml`` and ``FINOPS_…`` variables.

A variable beats the file. Both are strict: what is unknown or wrong is a ``ConfigError`` that
names the file or variable and the dotted key. Secrets come from variables or mounted files only.
"""

import difflib
import ipaddress
import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, Self, cast
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    Strict,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from finops_pipeline.errors import ConfigError

PREFIX = "FINOPS_"
CONFIG_VARIABLE = "FINOPS_CONFIG"
TOKEN_VARIABLE = re.compile(PREFIX + "CLUSTER_.+_TOKEN")
DEFAULT_FILE = Path("finops.toml")
SECRET_HEADERS = {"authorization", "proxy-authorization", "cookie", "x-api-key"}
HEADER_NAME = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z]+")
HEADER_VALUE = re.compile(r"|[!-~]([ -~]*[!-~])?")
# Kubecost merges hours into days, adjusted to the cloud's bill, after 48 h.
KUBECOST_REREAD_HOURS = 49
PLAIN_MESSAGES = {  # for people who write TOML, where pydantic speaks Python
    "extra_forbidden": "there is no such setting",
    "missing": "is missing",
    "model_type": "should be a table",
    "dict_type": "should be a table",
    "tuple_type": "should be a list",
}
NO_CONFIGURATION = (
    "no configuration: there is no finops.toml here and FINOPS_CONFIG and FINOPS_CLUSTERS are not "
    "set. To look around without a cluster run 'make demo'; to read yours, "
    "'cp finops.example.toml finops.toml' and put its addresses there"
)


def http_url(url: str) -> str:
    """The URL as written, when it is one that we can send a request to.

    Raises:
        ValueError: it is not.
    """
    if not url.isprintable() or " " in url:  # urlsplit would drop some of these
        raise ValueError("is not an http:// or https:// address: it holds white space or control")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("is not an http:// or https:// address")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("holds more than scheme, host, port and path; secrets go into variables")
    if parts.port == 0:  # asking for it raises ValueError where it is no port
        raise ValueError("has port 0, where nobody answers")
    if not _is_host(parts.hostname):
        raise ValueError("has no name or address of a host")
    return url


def _is_host(host: str) -> bool:
    try:
        if ":" in host or re.fullmatch(r"[0-9]+(\.[0-9]+){3}", host):
            return bool(ipaddress.ip_address(host))
        name = host.encode("idna").decode()  # refuses labels that are empty or too long
    except ValueError:
        return False
    return bool(re.fullmatch(r"[A-Za-z0-9_.-]+", name)) and not name.startswith(".")


def _optional_http_url(url: str) -> str:
    return url and http_url(url)


def _database_url(url: SecretStr) -> SecretStr:
    """The URL as written; SQLAlchemy says more when it opens it."""
    text = url.get_secret_value()
    if not re.fullmatch(r"|[a-z][a-z0-9]*(\+[a-z0-9]+)?://\S*", text):
        raise ValueError("is not a URL of SQLAlchemy, such as postgresql+psycopg2://host/finops")
    if re.fullmatch(r"sqlite(\+[a-z0-9]+)?://(/*(\?.*)?|.*(:memory:|mode=memory).*)", text):
        raise ValueError("is SQLite without a file: each process would have a ledger of its own")
    return url


def _path(path: object) -> object:
    if path == "" or "\0" in str(path):  # pathlib takes the empty text for the working directory
        raise ValueError("should be a path")
    return path


def _day(value: object) -> object:
    """A date, which JSON of a variable can only give as text."""
    if isinstance(value, datetime):
        raise ValueError("should be a date without a time")
    if isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError as error:
            raise ValueError("should be a date such as 2026-01-31") from error
    return value


def _money(value: object) -> object:
    """An amount as written: the shortest decimal that is this float."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return Decimal(repr(value)) if is_number else value


HttpUrl = Annotated[str, AfterValidator(http_url)]
DatabaseUrl = Annotated[SecretStr, AfterValidator(_database_url)]
OptionalHttpUrl = Annotated[str, AfterValidator(_optional_http_url)]
# TOML and variables know neither tuples nor paths: these two are made from lists and text.
Lenient = Strict(False)
Name = Annotated[str, Field(min_length=1)]
LabelNames = Annotated[tuple[Name, ...], Lenient]
Globs = Annotated[tuple[Name, ...], Lenient]
Day = Annotated[date | None, BeforeValidator(_day)]
Money = Annotated[Decimal, BeforeValidator(_money)]
FilePath = Annotated[Path, Lenient, BeforeValidator(_path)]
Amount = float | None


def _key(text: str, unit: str = "", **constraints: Any) -> Any:
    """A documented setting: what it is for, and the unit of its value."""
    return Field(description=text, json_schema_extra={"unit": unit}, **constraints)


def _valid_from() -> Any:
    return _key("First day it holds; left out: always did", default=None)


def _valid_until() -> Any:
    return _key("First day it no longer holds; left out: none", default=None)


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Ingest(_Section):
    """When windows are read."""

    horizon_days: int = _key(
        "How far back missing windows are filled", "days", default=14, ge=1, le=400
    )
    settle_minutes: int = _key(
        "A window is read this long after its end; samples arrive late",
        "minutes",
        default=5,
        ge=0,
        le=60,
    )
    reread_hours: Annotated[tuple[int, ...], Lenient] = _key(
        "Ages at which a window is read again; after the last one it is final",
        "hours",
        default=(1, 24),
    )
    budget_seconds: int = _key(
        "Time one tick may spend on reading; the rest stays due", "seconds", default=480, ge=10
    )

    @field_validator("reread_hours")
    @classmethod
    def _ages_rise(cls, ages: tuple[int, ...]) -> tuple[int, ...]:
        if (
            not ages
            or ages[0] < 1
            or any(later <= age for age, later in zip(ages, ages[1:], strict=False))
        ):
            raise ValueError("should be whole hours that rise from 1")
        return ages


class Rule(_Section):
    """Whose a cost without a label is; the first rule that matches and says a part decides it."""

    name: Name = _key("What it is called where a cost says which rule decided")
    cluster: Name = _key("Clusters it is for; * is any text, ? any character", default="*")
    namespace: Name = _key("Namespaces it is for, in the same way", default="*")
    workload: Name = _key("Workloads it is for, in the same way", default="*")
    team: Name | None = _key("Team it names; left out: does not say", default=None)
    environment: Name | None = _key("Environment it names", default=None)
    project: Name | None = _key("Project it names", default=None)
    cost_center: Name | None = _key("Cost center it names", default=None)
    valid_from: Day = _valid_from()
    valid_until: Day = _valid_until()


class Attribution(_Section):
    """Whose a cost is: the first of these labels that there is, else the first rule."""

    team_labels: LabelNames = _key("Labels that name the team", default=("team",))
    environment_labels: LabelNames = _key(
        "Labels that name the environment", default=("environment", "env")
    )
    project_labels: LabelNames = _key("Labels that name the project", default=("project",))
    cost_center_labels: LabelNames = _key(
        "Labels that name the cost center", default=("cost_center",)
    )
    cost_labels: LabelNames = _key("Labels that costs.label_daily sums costs by", default=())
    rules: Annotated[tuple[Rule, ...], Lenient] = ()


class Sharing(_Section):
    """Who pays for what no team uses alone."""

    idle: Literal["separate", "by_node", "by_cluster"] = _key(
        "Idle cost: separate, or split by what teams cost on the node or in the cluster: by_node,"
        " by_cluster",
        default="separate",
    )
    shared: Literal["proportional", "even", "weighted", "separate"] = _key(
        "Shared cost: proportional to what teams cost, even, weighted by teams' shared_weight, or"
        " separate",
        default="proportional",
    )
    shared_namespaces: Globs = _key(
        "Namespaces that all teams use; * is any text, ? any character", default=("kube-*",)
    )


class Calendar(_Section):
    """How the year of the accounts lies."""

    fiscal_year_start_month: int = _key(
        "Month a fiscal year begins in; it has the name of the calendar year it ends in",
        default=1,
        ge=1,
        le=12,
    )


class Team(_Section):
    """Who stands behind a team's name; one entry for each time in which that is true."""

    name: Name = _key("The team, as labels and rules name it")
    owner: Name | None = _key("Person who answers for its cost", default=None)
    email: Name | None = _key("Address for its reports", default=None)
    channel: Name | None = _key("Channel for its messages", default=None)
    cost_center: Name | None = _key("Cost center of its costs that name none", default=None)
    project: Name | None = _key("Project of its costs that name none", default=None)
    shared_weight: float = _key(
        'Its part of shared cost with shared = "weighted"',
        default=1.0,
        ge=0,
        le=1e6,
        allow_inf_nan=False,
    )
    valid_from: Day = _valid_from()
    valid_until: Day = _valid_until()


class Budget(_Section):
    """What may be spent in a month."""

    scope: Literal["team", "project", "namespace"] = _key(
        "What it limits: a team, project or namespace"
    )
    name: Name = _key("Name of that team, project or namespace")
    month_amount: Money = _key(
        "For each calendar month",
        "currency",
        gt=0,
        max_digits=28,
        decimal_places=10,
    )
    valid_from: Day = _valid_from()
    valid_until: Day = _valid_until()


class Nodes(_Section):
    """How nodes are told apart."""

    pool_labels: LabelNames = _key(
        "Labels of a node that name its pool",
        default=(
            "cloud.google.com/gke-nodepool",
            "eks.amazonaws.com/nodegroup",
            "kubernetes.azure.com/agentpool",
            "karpenter.sh/nodepool",
        ),
    )


class Retention(_Section):
    """How far back things reach; daily tables are kept for good."""

    raw_days: int = _key(
        "Days of raw and hourly tables; daily ones are frozen before their raw rows go",
        "days",
        default=400,
        ge=2,
        le=4000,
    )
    quarter_hourly_days: int = _key(
        "Days of costs.quarter_hourly", "days", default=14, ge=1, le=400
    )
    container_days: int = _key("Days of costs.container_daily", "days", default=90, ge=1, le=4000)
    native_hourly_days: int = _key(
        "Days of hourly rows that lie in the published file itself; older ones are read from the"
        " lake",
        "days",
        default=35,
        ge=1,
        le=400,
    )
    run_days: int = _key("Days of Dagster's own history of runs", "days", default=14, ge=1, le=400)


class Metrics(_Section):
    """What is pushed for Grafana after each publication."""

    pushgateway_url: OptionalHttpUrl = _key("Pushgateway; empty: nothing is pushed", default="")
    top_workloads: int = _key(
        "Workloads with a series of their own; the rest is one series '_other'",
        "workloads",
        default=50,
        ge=1,
        le=1000,
    )


def _price(text: str, unit: str) -> Any:
    """A price that may be left out."""
    return _key(text, unit, default=None, ge=0, le=1e6, allow_inf_nan=False)


class Price(_Section):
    """What resources cost where the source has no price, and what is taken off where it has one."""

    node_pool: str = _key(
        "Nodes it is for; empty: all, where their own entry has no price", default=""
    )
    cpu_core_hour_price: Amount = _price("Of a core", "currency per core-hour")
    memory_gib_hour_price: Amount = _price("Of memory", "currency per GiB-hour")
    gpu_hour_price: Amount = _price("Of a GPU", "currency per GPU-hour")
    storage_gb_month_price: Amount = _price(
        "Of a volume, of all node pools", "currency per GB and month of 730 hours"
    )
    load_balancer_month_price: Amount = _price(
        "Of a load balancer, of all node pools", "currency per month of 730 hours"
    )
    discount_ratio: float = _key(
        "Taken off the source's prices of nodes, not off these", "ratio", default=0.0, ge=0, lt=1
    )
    is_preferred: bool = _key("Use these prices also where the source has its own", default=False)

    @model_validator(mode="after")
    def _of_nodes_only(self) -> Self:
        for name in ("storage_gb_month_price", "load_balancer_month_price"):
            if self.node_pool and getattr(self, name) is not None:
                raise ValueError(f"{name} has no node pool: give it in the entry without one")
        return self


class Cluster(_Section):
    """One Kubernetes cluster and the servers that know about it."""

    name: str = _key(
        "Its name in every table; never change it",
        pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        max_length=63,
    )
    opencost_url: HttpUrl = _key(
        "OpenCost's API, or Kubecost's with its path /model: then read again after 49 h, too"
    )
    prometheus_url: HttpUrl = _key("The Prometheus that OpenCost reads, or one like it")
    prometheus_matchers: dict[str, str] = _key(
        "Label values that select this cluster where several share one Prometheus",
        default_factory=dict,
    )
    opencost_token_file: FilePath | None = _key(
        "File with the bearer token for OpenCost", default=None
    )
    prometheus_token_file: FilePath | None = _key(
        "File with the bearer token for Prometheus", default=None
    )
    headers: dict[str, str] = _key(
        "Headers sent to both, such as X-Scope-OrgID; no secrets", default_factory=dict
    )
    verify: bool = _key("Check the servers' certificates", default=True)
    ca_file: FilePath | None = _key(
        "Certificate authorities to trust instead of the usual ones", default=None
    )
    client_certificate_file: FilePath | None = _key(
        "Certificate that we show to both servers, where they want one", default=None
    )
    client_key_file: FilePath | None = _key("Its key; by default in the same file", default=None)
    kubernetes_access: Literal["none", "in-cluster", "kubeconfig"] = _key(
        "How its Kubernetes API is reached: none, in-cluster (as the pod's service account) or"
        " kubeconfig",
        default="none",
    )
    kubeconfig_file: FilePath | None = _key(
        "kubeconfig to use; by default where kubectl looks", default=None
    )
    kubeconfig_context: str = _key("Its context; empty: the current one", default="")
    prices: Annotated[tuple[Price, ...], Lenient] = ()
    opencost_token: SecretStr | None = _key("Bearer token for OpenCost", default=None)
    prometheus_token: SecretStr | None = _key("Bearer token for Prometheus", default=None)

    @field_validator("opencost_token", "prometheus_token", mode="before")
    @classmethod
    def _from_outside(cls, token: object) -> object:
        """Refuse a token that stands among the settings."""
        if token is not None:
            raise ValueError("is a secret: use its variable or token file")
        return token

    @field_validator("headers")
    @classmethod
    def _no_secrets(cls, headers: dict[str, str]) -> dict[str, str]:
        if SECRET_HEADERS & {name.lower() for name in headers}:
            raise ValueError("holds a secret: use the token's variable or token file")
        for name, value in headers.items():
            if not (HEADER_NAME.fullmatch(name) and HEADER_VALUE.fullmatch(value)):
                raise ValueError("has a name or value that is no header: use visible ASCII")
        return headers

    @field_validator("prometheus_matchers")
    @classmethod
    def _labels(cls, matchers: dict[str, str]) -> dict[str, str]:
        if any(not re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", label) for label in matchers):
            raise ValueError("has a key that is not a Prometheus label name")
        return matchers

    @model_validator(mode="after")
    def _certificates(self) -> Self:
        if self.ca_file and not self.verify:
            raise ValueError("ca_file is of no use with verify = false: give one of them")
        if self.client_key_file and not self.client_certificate_file:
            raise ValueError("client_key_file is of no use without client_certificate_file")
        return self

    @field_validator("prices")
    @classmethod
    def _one_price_a_pool(cls, prices: tuple[Price, ...]) -> tuple[Price, ...]:
        pools = [price.node_pool for price in prices]
        for pool in pools:
            if pools.count(pool) > 1:
                raise ValueError(f"has two entries for node_pool {pool!r}")
        return prices

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        names = ("kubeconfig_file", "kubeconfig_context")
        given = next((name for name in names if getattr(self, name)), None)
        if given and self.kubernetes_access != "kubeconfig":
            raise ValueError(f'{given} is of no use without kubernetes_access = "kubeconfig"')
        return self

    @property
    def is_kubecost(self) -> bool:
        """Whether it is Kubecost that answers: its API lies under ``/model``."""
        return urlsplit(self.opencost_url).path.rstrip("/").endswith("/model")

    def promql_matchers(self) -> str:
        """``cluster="prod-eu"``: goes into every selector of a query; empty without matchers."""
        quoted = {k: json.dumps(v, ensure_ascii=False) for k, v in self.prometheus_matchers.items()}
        return ",".join(f"{label}={value}" for label, value in sorted(quoted.items()))


class Settings(BaseSettings):
    """Everything an installation may decide."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", strict=True, env_prefix=PREFIX, env_nested_delimiter="__"
    )

    currency: str = _key(
        "The one currency of all clusters' prices; nothing is converted",
        "ISO 4217",
        default="USD",
        pattern=r"^[A-Z]{3}$",
    )
    data_dir: FilePath = _key(
        "Folder of the lake, the state database and finops.duckdb", default=Path("data")
    )
    is_demo: bool = _key("Mark all data as pretended, wherever it is shown", default=False)
    state_url: DatabaseUrl = _key(
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
    def _told_apart(cls, clusters: tuple[Cluster, ...]) -> tuple[Cluster, ...]:
        if not clusters:
            raise ValueError("should name at least one cluster")
        for taken in (
            _repeated([cluster.name for cluster in clusters]),
            _repeated([name for cluster in clusters for name in token_variables(cluster.name)]),
        ):
            if taken:
                raise ValueError(f"two clusters would share {taken}: give each a name of its own")
        if url := _repeated([_normal(cluster.opencost_url) for cluster in clusters]):
            raise ValueError(f"two clusters have the opencost_url {url}: its cost would double")
        if taken := _repeated([way for cluster in clusters if (way := _way_in(cluster))]):
            raise ValueError(
                f"two clusters have the same Kubernetes API, {taken}: give each its own"
            )
        return clusters

    def last_reread_hours(self) -> dict[str, int]:
        """Age of one reading more, of the clusters that have one [hours]."""
        kubecosts = (cluster for cluster in self.clusters if cluster.is_kubecost)
        return {cluster.name: KUBECOST_REREAD_HOURS for cluster in kubecosts}

    def database_url(self) -> str:
        """SQLAlchemy URL of the state database, its password included: not for printing."""
        return self.state_url.get_secret_value() or f"sqlite:///{self.data_dir / 'state.db'}"

    def shown(self) -> dict[str, object]:
        """Dotted key to value, for people: secrets are masked."""
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
    """One setting, as the documentation names it."""

    key: str  # "ingest.horizon_days"; of a cluster: "clusters[].name"
    variable: str  # that sets it
    default: object  # None also when it has to be given: see is_required
    is_required: bool
    is_secret: bool  # not taken from finops.toml
    unit: str
    text: str


def load(path: Path | None = None, environ: Mapping[str, str] = os.environ) -> Settings:
    """Settings of this installation.

    Args:
        path: settings file; without it FINOPS_CONFIG, then ``finops.toml`` where we are, if any.
        environ: variables; one named ``FINOPS_INGEST__HORIZON_DAYS`` beats ``ingest.horizon_days``.

    Raises:
        ConfigError: nothing is configured, or a key, value or variable is unknown or wrong.
    """
    given = _gather(path, environ)
    if given.file is None and "clusters" not in given.values:
        raise ConfigError(NO_CONFIGURATION)
    try:
        settings = Settings.model_validate(given.values)
    except ValidationError as error:
        raise _explained(error, given) from None  # pydantic's own text shows secrets
    _refuse_endless_windows(settings, given)
    _refuse_horizon_beyond_raw(settings, given)
    return _with_tokens(settings, environ)


def load_data_dir(path: Path | None = None, environ: Mapping[str, str] = os.environ) -> Path:
    """Folder of the data alone: works where no cluster is configured, as on an analyst's machine.

    Raises:
        ConfigError: the file cannot be read, a variable is unknown, or ``data_dir`` is wrong.
    """
    given = _gather(path, environ)
    try:
        return _DataDir.model_validate(given.values).data_dir
    except ValidationError as error:
        raise _explained(error, given) from None  # pydantic's own text shows secrets


def describe() -> list[Key]:
    """Every setting there is, in the order of ``finops.example.toml``."""
    return [
        Key(
            key,
            variable=_variable(key),
            default=None if field.is_required() else field.get_default(call_default_factory=True),
            is_required=field.is_required(),
            is_secret=key.endswith("_token"),
            unit=str(cast(dict[str, str], field.json_schema_extra)["unit"]),
            text=field.description or "",
        )
        for key, field in _leaves(Settings)
    ]


def token_variables(cluster: str) -> tuple[str, str]:
    """Variables with the bearer tokens of a cluster: for OpenCost, for Prometheus."""
    stem = f"{PREFIX}CLUSTER_{cluster.upper().replace('-', '_')}"
    return f"{stem}_TOKEN", f"{stem}_PROMETHEUS_TOKEN"


class _DataDir(BaseModel):
    model_config = ConfigDict(strict=True)

    data_dir: FilePath = Settings.model_fields["data_dir"].default


@dataclass(frozen=True)
class _Given:
    """What file and variables say, and which of them said it."""

    file: Path | None
    values: dict[str, Any]
    variables: frozenset[str]


class _Variable(EnvSettingsSource):
    """One variable; the base class would read all of ``os.environ``."""

    def __init__(self, name: str, text: str) -> None:
        self._given = {name.lower(): text}
        super().__init__(Settings)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return self._given


def _gather(path: Path | None, environ: Mapping[str, str]) -> _Given:
    file = _file(path, environ)
    values = _read(file) if file else {}
    names = {key.variable for key in describe()} & environ.keys()
    _refuse_unknown(environ)
    for name in sorted(names):
        _refuse_empty(name, environ[name])
        for key, value in _parsed(name, environ[name]).items():
            table = values.get(key)
            both = isinstance(table, dict) and isinstance(value, dict)
            values[key] = {**cast(dict[str, Any], table), **value} if both else value
    return _Given(file, values, frozenset(names))


def _file(path: Path | None, environ: Mapping[str, str]) -> Path | None:
    variable = environ.get(CONFIG_VARIABLE)
    named = path or (Path(variable) if variable else None)
    if named and not named.is_file():
        raise ConfigError(f"{'' if path else 'FINOPS_CONFIG: '}there is no settings file {named}")
    return named or (DEFAULT_FILE if DEFAULT_FILE.is_file() else None)


def _read(file: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{file}: cannot be read as TOML: {error}") from error
    if re.search(r"//[^/@]*:[^/@]*@", str(values.get("state_url", ""))):
        raise ConfigError(f"{file}: state_url: holds a password: use FINOPS_STATE_URL instead")
    if inner := [key for key in values if key.startswith("_")]:  # arguments of BaseSettings
        raise ConfigError(f"{file}: {inner[0]}: there is no such setting")
    return values


def _parsed(name: str, text: str) -> dict[str, Any]:
    try:
        parsed = _Variable(name, text)()
    except (SettingsError, RecursionError) as error:
        raise ConfigError(f"{name}: is not JSON, as a list or table has to be here") from error
    if not parsed:
        raise ConfigError(f"{name}: is null; unset it for the default")
    return parsed


def _refuse_unknown(environ: Mapping[str, str]) -> None:
    """Refuse variables that would have no effect; those of a cluster are checked with its name."""
    known = {key.variable for key in describe()} | {CONFIG_VARIABLE}
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in known and not TOKEN_VARIABLE.fullmatch(name):
            raise ConfigError(f"{name}: there is no such setting{_meant(name, known)}")


def _refuse_empty(name: str, text: str) -> None:
    """An empty path would be the working directory; an address may be empty: it is then off."""
    if not text and not any(key.variable == name and str(key.default) == "" for key in describe()):
        raise ConfigError(f"{name}: is empty; unset it for the default")


def _meant(name: str, known: set[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.8)
    return f"; did you mean {close[0]}?" if close else ""


def _refuse_endless_windows(settings: Settings, given: _Given) -> None:
    """Refuse a horizon that windows leave before they are read for the last time."""
    ingest = settings.ingest
    last = max([*ingest.reread_hours, *settings.last_reread_hours().values()])
    if ingest.horizon_days * 24 <= last + 1:
        variables = [_variable(f"ingest.{key}") for key in ("horizon_days", "reread_hours")]
        origin = next((name for name in variables if name in given.variables), given.file)
        raise ConfigError(
            f"{origin}: ingest.horizon_days: {ingest.horizon_days} days are too short for"
            f" ingest.reread_hours, whose last is {last}: windows would never become final"
        )


def _refuse_horizon_beyond_raw(settings: Settings, given: _Given) -> None:
    """Refuse to ask for windows that would have expired."""
    horizon_days, raw_days = settings.ingest.horizon_days, settings.retention.raw_days
    if raw_days < horizon_days:
        variables = [_variable(key) for key in ("retention.raw_days", "ingest.horizon_days")]
        origin = next((name for name in variables if name in given.variables), given.file)
        raise ConfigError(
            f"{origin}: retention.raw_days: {raw_days} days are less than the {horizon_days} of"
            " ingest.horizon_days: what has expired would be read again"
        )


def _with_tokens(settings: Settings, environ: Mapping[str, str]) -> Settings:
    known = {name for cluster in settings.clusters for name in token_variables(cluster.name)}
    for name in sorted(environ):
        if TOKEN_VARIABLE.fullmatch(name) and name not in known:
            raise ConfigError(f"{name}: no cluster has this name")
    clusters = tuple(_with_token(cluster, environ) for cluster in settings.clusters)
    return settings.model_copy(update={"clusters": clusters})


def _with_token(cluster: Cluster, environ: Mapping[str, str]) -> Cluster:
    opencost, prometheus = token_variables(cluster.name)
    return cluster.model_copy(
        update={
            "opencost_token": _token(cluster, "opencost_token_file", opencost, environ),
            "prometheus_token": _token(cluster, "prometheus_token_file", prometheus, environ),
        }
    )


def _token(
    cluster: Cluster, key: str, variable: str, environ: Mapping[str, str]
) -> SecretStr | None:
    file: Path | None = getattr(cluster, key)
    if variable in environ and file:
        raise ConfigError(f"{variable}: cluster {cluster.name} has {key} too: give one of them")
    try:
        token = file.read_text(encoding="utf-8").strip() if file else environ.get(variable)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{key} of cluster {cluster.name}: {error}") from error
    if token == "":
        raise ConfigError(f"{file or variable}: the token of cluster {cluster.name} is empty")
    if token and not re.fullmatch(r"[!-~]+", token):
        raise ConfigError(
            f"{file or variable}: the token of cluster {cluster.name} is not all visible ASCII"
        )
    return SecretStr(token) if token else None


def _leaves(model: type[BaseModel], above: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Dotted key and field of each setting; a list of tables is one step named ``clusters[]``."""
    for name, field in model.model_fields.items():
        table = LISTS.get(name, field.annotation)
        if isinstance(table, type) and issubclass(table, BaseModel):
            yield from _leaves(table, f"{above}{name}{'[]' if name in LISTS else ''}.")
        else:
            yield above + name, field


def _variable(key: str) -> str:
    if key.endswith("_token"):
        return token_variables("<name>")[key.endswith("prometheus_token")]
    outermost = key.partition("[]")[0]  # a list is one variable as a whole
    return PREFIX + outermost.upper().replace(".", "__")


def _explained(error: ValidationError, given: _Given) -> ConfigError:
    """Pydantic's findings, one a line: where the value is from, its dotted key, what is wrong."""
    return ConfigError("\n".join(_finding(detail, given) for detail in error.errors()))


def _finding(detail: ErrorDetails, given: _Given) -> str:
    key = ".".join(str(step) for step in detail["loc"])
    variable = _variable(re.sub(r"\.\d+\b.*", "", key))
    origin = variable if variable in given.variables else given.file
    message = PLAIN_MESSAGES.get(detail["type"], detail["msg"])
    return f"{origin}: {key}: {message.removeprefix('Value error, ')}{_came(detail)}"


def _came(detail: ErrorDetails) -> str:
    """The value, where it can be shown: nothing that may be a secret, no half of the file."""
    value, last = detail["input"], str(detail["loc"][-1])
    if not isinstance(value, str | int | float):
        return ""
    may_be_secret = detail["type"] == "extra_forbidden" or "token" in last or "@" in str(value)
    return "" if may_be_secret else f", not {value!r}"


def _normal(url: str) -> str:
    """The URL as its server sees it."""
    parts = urlsplit(url)
    default = {"http": ":80", "https": ":443"}[parts.scheme]
    return f"{parts.scheme}://{parts.netloc.lower().removesuffix(default)}{parts.path.rstrip('/')}"


def _way_in(cluster: Cluster) -> str:
    """What two clusters cannot share; empty where there is no access."""
    if cluster.kubernetes_access != "kubeconfig":
        return cluster.kubernetes_access.removeprefix("none")
    file = cluster.kubeconfig_file or "the usual file"
    return f"context {cluster.kubeconfig_context or 'in use'} of {file}"


def _repeated(names: list[str]) -> str | None:
    return next((name for name in names if names.count(name) > 1), None)


def _flat(value: Any, key: str = "") -> Iterator[tuple[str, object]]:
    """Leaves of nested tables and lists of tables, by dotted key."""
    if isinstance(value, list) and value and isinstance(value[0], dict):
        value = {str(number): item for number, item in enumerate(value)}
    if isinstance(value, dict) and value:
        for name, item in value.items():
            yield from _flat(item, f"{key}.{name}" if key else name)
    else:
        yield key, value
