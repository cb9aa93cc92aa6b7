"""Reads ``finops.toml`` and ``FINOPS_…`` variables; names what is wrong and where it stands."""

import difflib
import logging
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
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
    """Load the settings of this installation.

    Args:
        path: settings file; without it FINOPS_CONFIG, then ``finops.toml`` where we are, if any.
        environ: variables: ``FINOPS_INGEST__LOOKBACK_DAYS`` beats ``ingest.lookback_days``.

    Raises:
        ConfigError: nothing is configured, or a key, value or variable is unknown or wrong.
    """
    configuration = _collect(path, environ)
    for warning in configuration.warnings:
        _warn(warning)
    if configuration.file is None and "clusters" not in configuration.values:
        raise ConfigError(NO_CONFIGURATION)
    try:
        settings = Settings.model_validate(configuration.values)
    except ValidationError as error:
        raise _config_error(error, configuration) from None  # pydantic's own text shows secrets
    if messages := [_format_mistake(mistake, configuration) for mistake in mistakes(settings)]:
        raise ConfigError("\n".join(messages))
    return _with_webhook(_with_tokens(settings, environ), configuration)


@cache
def _warn(message: str) -> None:
    """Log a warning once: the settings are read anew for each step and sensor."""
    logging.getLogger(__name__).warning(message)


def warnings(settings: Settings) -> list[str]:
    """Return what is doubtful in settings that can be used: key, and what to do about it."""
    return [f"{doubt.keys[0]}: {doubt.message}" for doubt in doubts(settings)]


def load_data_dir(path: Path | None = None, environ: Mapping[str, str] = os.environ) -> Path:
    """Load the folder of the data alone, also where no cluster is configured.

    An analyst's machine may have the data and no settings.

    Raises:
        ConfigError: the file cannot be read, a variable is unknown, or ``data_dir`` is wrong.
    """
    configuration = _collect(path, environ)
    try:
        return _DataDir.model_validate(configuration.values).data_dir
    except ValidationError as error:
        raise _config_error(error, configuration) from None  # pydantic's own text shows secrets


class _DataDir(BaseModel):
    model_config = ConfigDict(strict=True)

    data_dir: DataFolder = Settings.model_fields["data_dir"].default


@dataclass(frozen=True)
class _Configuration:
    """Values of the settings, and the file and variables they are from."""

    file: Path | None
    values: dict[str, Any]
    variables: frozenset[str]
    warnings: list[str]  # of names that are no longer used


class _Variable(EnvSettingsSource):
    """Reader of one variable; the base class would read all of ``os.environ``."""

    def __init__(self, name: str, text: str) -> None:
        self._variables = {name.lower(): text}
        super().__init__(Settings)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return self._variables


def _collect(path: Path | None, environ: Mapping[str, str]) -> _Configuration:
    file = _file(path, environ)
    values = _read(file) if file else {}
    warnings = rename_keys(values, str(file))
    environ, variable_warnings = rename_variables(environ)
    names = {key.variable for key in describe()} & environ.keys()
    _refuse_unknown(environ)
    for name in sorted(names):
        _refuse_empty(name, environ[name])
        for key, value in _parse(name, environ[name]).items():
            table = values.get(key)
            is_merged = isinstance(table, dict) and isinstance(value, dict)
            values[key] = {**cast(dict[str, Any], table), **value} if is_merged else value
    return _Configuration(file, values, frozenset(names), [*warnings, *variable_warnings])


def _file(path: Path | None, environ: Mapping[str, str]) -> Path | None:
    variable = environ.get(CONFIG_VARIABLE)
    file = path or (Path(variable) if variable else None)
    if file and not file.is_file():
        raise ConfigError(f"{'' if path else 'FINOPS_CONFIG: '}there is no settings file {file}")
    return file or (DEFAULT_FILE if DEFAULT_FILE.is_file() else None)


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


def _parse(name: str, text: str) -> dict[str, Any]:
    try:
        values = _Variable(name, text)()
    except (SettingsError, RecursionError) as error:
        raise ConfigError(f"{name}: is not JSON, as a list or table has to be here") from error
    if not values:
        raise ConfigError(f"{name}: is null; unset it for the default")
    return values


def _refuse_unknown(environ: Mapping[str, str]) -> None:
    """Refuse variables that would have no effect; those of a cluster are checked with its name."""
    names = {key.variable for key in describe()} | {CONFIG_VARIABLE}
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in names and not TOKEN_VARIABLE.fullmatch(name):
            raise ConfigError(f"{name}: there is no such setting{_suggestion(name, names)}")


def _refuse_empty(name: str, text: str) -> None:
    """Refuse an empty path: it would be the working directory. An empty address means none."""
    if not text and not any(key.variable == name and str(key.default) == "" for key in describe()):
        raise ConfigError(f"{name}: is empty; unset it for the default")


def _suggestion(name: str, names: set[str]) -> str:
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.8)
    return f"; did you mean {close[0]}?" if close else ""


def _with_tokens(settings: Settings, environ: Mapping[str, str]) -> Settings:
    names = {name for cluster in settings.clusters for name in token_variables(cluster.name)}
    for name in sorted(environ):
        if TOKEN_VARIABLE.fullmatch(name) and name not in names:
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


def _with_webhook(settings: Settings, configuration: _Configuration) -> Settings:
    """Return settings with the URL of the webhook from its file, if it has one."""
    alerts = settings.alerts
    file = alerts.webhook_url_file
    if not file:
        return settings
    if variable(WEBHOOK) in configuration.variables:
        raise ConfigError(f"{variable(WEBHOOK)}: there is a {WEBHOOK}_file too: give one of them")
    try:
        url = file.read_text(encoding="utf-8").strip()
        if not url:
            raise ConfigError(f"{file}: {WEBHOOK}: is empty; unset {WEBHOOK}_file for no webhook")
        alerts = Alerts.model_validate({"webhook_url_file": file, "webhook_url": SecretStr(url)})
    except (OSError, UnicodeDecodeError) as error:
        name = variable(f"{WEBHOOK}_file")
        origin = name if name in configuration.variables else configuration.file
        raise ConfigError(f"{origin}: {WEBHOOK}_file: {error}") from error
    except ValidationError as error:
        message = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise ConfigError(f"{file}: {WEBHOOK}: {message}") from None  # the rest shows the URL
    return settings.model_copy(update={"alerts": alerts})


def _config_error(error: ValidationError, configuration: _Configuration) -> ConfigError:
    """Make one error of pydantic's findings, one a line."""
    return ConfigError(
        "\n".join(_format_finding(detail, configuration) for detail in error.errors())
    )


def _format_finding(detail: ErrorDetails, configuration: _Configuration) -> str:
    name = ".".join(str(step) for step in detail["loc"])
    message = PLAIN_MESSAGES.get(detail["type"], detail["msg"]).removeprefix("Value error, ")
    message = f"{message}{_actual_value(detail)}{_entry_name(detail, configuration)}"
    return _format_mistake(Mistake((name,), message), configuration)


def _format_mistake(mistake: Mistake, configuration: _Configuration) -> str:
    """Return a line: where the value is from, its dotted key, what is wrong."""
    names = (variable(key) for key in mistake.keys)
    origin = next((name for name in names if name in configuration.variables), configuration.file)
    return f"{origin}: {mistake.keys[0]}: {mistake.message}"


def _entry_name(detail: ErrorDetails, configuration: _Configuration) -> str:
    """Return the name of the list's entry that a key is of, where the message does not say it."""
    name, value = None, cast(Any, configuration.values)
    for step in detail["loc"][:-1]:
        value = value[step]
        name = value.get("name") if isinstance(step, int) and isinstance(value, dict) else name
    is_shown = isinstance(name, str) and detail["loc"][-1] != "name"
    return f" (of {name!r})" if is_shown else ""


def _actual_value(detail: ErrorDetails) -> str:
    """Return the wrong value, but nothing that may be a secret, and no half of the file."""
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
