"""Reads ``finops.toml`` and ``FINOPS_…`` variables. What is wrong is named with where it stands."""

import difflib
import logging
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import EnvSettingsSource, SettingsError

from finops_pipeline.errors import ConfigError
from finops_pipeline.settings.clusters import Cluster, token_variables
from finops_pipeline.settings.mistakes import Mistake, doubts, mistakes
from finops_pipeline.settings.renamed import rename_keys, rename_variables
from finops_pipeline.settings.sections import Alerts
from finops_pipeline.settings.tree import WEBHOOK, Settings, describe, variable
from finops_pipeline.settings.values import PREFIX, DataFolder

CONFIG_VARIABLE = "FINOPS_CONFIG"
TOKEN_VARIABLE = re.compile(PREFIX + "CLUSTER_.+_TOKEN")
DEFAULT_FILE = Path("finops.toml")
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


def load(path: Path | None = None, environ: Mapping[str, str] = os.environ) -> Settings:
    """Settings of this installation.

    Args:
        path: settings file; without it FINOPS_CONFIG, then ``finops.toml`` where we are, if any.
        environ: variables: ``FINOPS_INGEST__LOOKBACK_DAYS`` beats ``ingest.lookback_days``.

    Raises:
        ConfigError: nothing is configured, or a key, value or variable is unknown or wrong.
    """
    given = _collect(path, environ)
    for warning in given.warnings:
        logging.getLogger(__name__).warning(warning)
    if given.file is None and "clusters" not in given.values:
        raise ConfigError(NO_CONFIGURATION)
    try:
        settings = Settings.model_validate(given.values)
    except ValidationError as error:
        raise _config_error(error, given) from None  # pydantic's own text shows secrets
    if found := list(mistakes(settings)):
        raise ConfigError("\n".join(_told(mistake, given) for mistake in found))
    return _with_webhook(_with_tokens(settings, environ), given)


def warnings(settings: Settings) -> list[str]:
    """What is doubtful in settings that can be used, and what to do about it: key and sentence."""
    return [f"{doubt.keys[0]}: {doubt.message}" for doubt in doubts(settings)]


def load_data_dir(path: Path | None = None, environ: Mapping[str, str] = os.environ) -> Path:
    """Folder of the data alone: works where no cluster is configured, as on an analyst's machine.

    Raises:
        ConfigError: the file cannot be read, a variable is unknown, or ``data_dir`` is wrong.
    """
    given = _collect(path, environ)
    try:
        return _DataDir.model_validate(given.values).data_dir
    except ValidationError as error:
        raise _config_error(error, given) from None  # pydantic's own text shows secrets


class _DataDir(BaseModel):
    model_config = ConfigDict(strict=True)

    data_dir: DataFolder = Settings.model_fields["data_dir"].default


@dataclass(frozen=True)
class _Given:
    """What file and variables say, and which of them said it."""

    file: Path | None
    values: dict[str, Any]
    variables: frozenset[str]
    warnings: list[str]  # of names that are no longer used


class _Variable(EnvSettingsSource):
    """One variable; the base class would read all of ``os.environ``."""

    def __init__(self, name: str, text: str) -> None:
        self._given = {name.lower(): text}
        super().__init__(Settings)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return self._given


def _collect(path: Path | None, environ: Mapping[str, str]) -> _Given:
    file = _file(path, environ)
    values = _read(file) if file else {}
    warnings = rename_keys(values, str(file))
    environ, of_variables = rename_variables(environ)
    names = {key.variable for key in describe()} & environ.keys()
    _refuse_unknown(environ)
    for name in sorted(names):
        _refuse_empty(name, environ[name])
        for key, value in _parsed(name, environ[name]).items():
            table = values.get(key)
            both = isinstance(table, dict) and isinstance(value, dict)
            values[key] = {**cast(dict[str, Any], table), **value} if both else value
    return _Given(file, values, frozenset(names), [*warnings, *of_variables])


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
    alerts = values.get("alerts")
    if isinstance(alerts, dict) and "webhook_url" in alerts:
        way = f"{variable(WEBHOOK)} or alerts.webhook_url_file"
        raise ConfigError(f"{file}: {WEBHOOK}: may hold a secret: use {way} instead")
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


def _with_webhook(settings: Settings, given: _Given) -> Settings:
    """The URL of the webhook from its file, if it has one."""
    alerts = settings.alerts
    file = alerts.webhook_url_file
    if not file:
        return settings
    if variable(WEBHOOK) in given.variables:
        raise ConfigError(f"{variable(WEBHOOK)}: there is a {WEBHOOK}_file too: give one of them")
    try:
        url = file.read_text(encoding="utf-8").strip()
        if not url:
            raise ConfigError(f"{file}: {WEBHOOK}: is empty; unset {WEBHOOK}_file for no webhook")
        read = Alerts.model_validate({"webhook_url_file": file, "webhook_url": SecretStr(url)})
    except (OSError, UnicodeDecodeError) as error:
        named = variable(f"{WEBHOOK}_file")
        origin = named if named in given.variables else given.file
        raise ConfigError(f"{origin}: {WEBHOOK}_file: {error}") from error
    except ValidationError as error:
        message = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise ConfigError(f"{file}: {WEBHOOK}: {message}") from None  # the rest shows the URL
    return settings.model_copy(update={"alerts": read})


def _config_error(error: ValidationError, given: _Given) -> ConfigError:
    """Pydantic's findings, one a line: where the value is from, its dotted key, what is wrong."""
    return ConfigError("\n".join(_finding(detail, given) for detail in error.errors()))


def _finding(detail: ErrorDetails, given: _Given) -> str:
    name = ".".join(str(step) for step in detail["loc"])
    message = PLAIN_MESSAGES.get(detail["type"], detail["msg"]).removeprefix("Value error, ")
    shown = f"{message}{_came(detail)}{_entry(detail, given)}"
    return _told(Mistake((name,), shown), given)


def _told(mistake: Mistake, given: _Given) -> str:
    """Where the value is from, its dotted key, what is wrong."""
    named = (variable(name) for name in mistake.keys)
    origin = next((name for name in named if name in given.variables), given.file)
    return f"{origin}: {mistake.keys[0]}: {mistake.message}"


def _entry(detail: ErrorDetails, given: _Given) -> str:
    """The name of the list's entry that a key is of, where the message does not say it."""
    name, value = None, cast(Any, given.values)
    for step in detail["loc"][:-1]:
        value = value[step]
        name = value.get("name") if isinstance(step, int) and isinstance(value, dict) else name
    is_shown = isinstance(name, str) and detail["loc"][-1] != "name"
    return f" (of {name!r})" if is_shown else ""


def _came(detail: ErrorDetails) -> str:
    """The value, where it can be shown: nothing that may be a secret, no half of the file."""
    value, last = detail["input"], str(detail["loc"][-1])
    if not isinstance(value, str | int | float):
        return ""
    may_be_secret = (
        detail["type"] == "extra_forbidden"
        or "token" in last
        or "webhook" in last
        or "@" in str(value)
    )
    return "" if may_be_secret else f", not {value!r}"
