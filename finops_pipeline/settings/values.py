"""Kinds of values: what a URL, path, date or amount of a setting may be, and how keys are made."""

import ipaddress
import re
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    Strict,
)

PREFIX = "FINOPS_"  # of every variable


def http_url(url: str) -> str:
    """Return a URL as written, or refuse it: no request could be sent to it.

    Raises:
        ValueError: it is no http:// or https:// address of a host.
    """
    if not url.isprintable() or " " in url:  # urlsplit would drop some of these
        raise ValueError("is not an http:// or https:// address: it holds white space or control")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("is not an http:// or https:// address")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("holds more than scheme, host, port and path; secrets go into variables")
    if parts.port == 0:  # asking for it raises ValueError where it is no port
        raise ValueError("has port 0, where no server answers")
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


def _webhook_url(url: SecretStr) -> SecretStr:
    """Return the URL as written; unlike others it may hold a token in its path or query."""
    text = url.get_secret_value()
    if text:
        http_url(text.partition("?")[0])
    return url


def _database_url(url: SecretStr) -> SecretStr:
    """Return the URL as written; SQLAlchemy checks the rest when it opens it."""
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


def _refuse_pattern(folder: Path) -> Path:
    """Refuse a folder that DuckDB would take for a pattern, and so read other folders."""
    if re.search(r"[*?]", str(folder.absolute())):
        raise ValueError(f"should have no * and no ? in its path, {folder.absolute()}")
    return folder


def _name(text: str) -> str:
    if not text or text != text.strip() or not text.isprintable():
        raise ValueError("should be visible text, without white space around it")
    return text


def _pattern(text: str) -> str:
    """Refuse a pattern that ``glob`` of SQL reads otherwise: brackets are special there, too."""
    if not re.fullmatch(r"[-A-Za-z0-9._:*?]+", text):
        raise ValueError("should be a name, in which * is any text and ? any character")
    return text


def _day(value: object) -> object:
    """Return a date, which JSON of a variable can only give as text."""
    if isinstance(value, datetime):
        raise ValueError("should be a date without a time")
    if isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError as error:
            raise ValueError("should be a date such as 2026-01-31") from error
    return value


def _money(value: object) -> object:
    """Return an amount as written: the shortest decimal that is this float."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return Decimal(repr(value)) if is_number else value


HttpUrl = Annotated[str, AfterValidator(http_url)]
DatabaseUrl = Annotated[SecretStr, AfterValidator(_database_url)]
WebhookUrl = Annotated[SecretStr, AfterValidator(_webhook_url)]
OptionalHttpUrl = Annotated[str, AfterValidator(_optional_http_url)]
# TOML and variables know neither tuples nor paths: these two are made from lists and text.
Lenient = Strict(False)
Name = Annotated[str, AfterValidator(_name)]
Pattern = Annotated[str, AfterValidator(_pattern)]
LabelNames = Annotated[tuple[Name, ...], Lenient]
Patterns = Annotated[tuple[Pattern, ...], Lenient]
Day = Annotated[date | None, BeforeValidator(_day)]
Money = Annotated[Decimal, BeforeValidator(_money)]
FilePath = Annotated[Path, Lenient, BeforeValidator(_path)]
DataFolder = Annotated[FilePath, AfterValidator(_refuse_pattern)]
Amount = float | None


def key(text: str, unit: str = "", **constraints: Any) -> Any:
    """Return the field of a setting: what it is for, and the unit of its value."""
    return Field(description=text, json_schema_extra={"unit": unit}, **constraints)


def as_opencost_writes_it(label: str) -> str:
    """Return ``app_kubernetes_io_name`` for the label ``app.kubernetes.io/name``."""
    return re.sub(r"[^a-zA-Z0-9_]", "_", label)


class Section(BaseModel):
    """Table of the settings: strict, and never changed."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


def find_repeated(names: list[str]) -> str | None:
    """Return the first name that is there twice."""
    return next((name for name in names if names.count(name) > 1), None)
