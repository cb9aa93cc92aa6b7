"""Understands settings by the names they had one minor version ago, and warns of the new ones."""

from collections.abc import Mapping
from typing import Any

from finops_pipeline.errors import ConfigError
from finops_pipeline.settings.tree import variable

RENAMED = {"ingest.horizon_days": "ingest.lookback_days"}  # by 0.1; gone with 0.2


def rename_keys(values: dict[str, Any], origin: str) -> list[str]:
    """Give the values of a settings file their new keys, in place; return a warning for each.

    Raises:
        ConfigError: a setting stands there under both names.
    """
    warnings = []
    for old, new in RENAMED.items():
        section, _, key = old.rpartition(".")
        table = values.get(section)
        if isinstance(table, dict) and key in table:
            _refuse_both(origin, old, new, new.rpartition(".")[2] in table)
            table[new.rpartition(".")[2]] = table.pop(key)
            warnings.append(f"{origin}: {old} is now {new}: rename it")
    return warnings


def rename_variables(environ: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Return variables by their new names, and a warning for each.

    Raises:
        ConfigError: a setting is there under both names.
    """
    renamed, warnings = dict(environ), []
    for old, new in ((variable(old), variable(new)) for old, new in RENAMED.items()):
        if old in renamed:
            _refuse_both("environment", old, new, new in renamed)
            renamed[new] = renamed.pop(old)
            warnings.append(f"{old} is now {new}: rename it")
    return renamed, warnings


def _refuse_both(origin: str, old: str, new: str, is_both: bool) -> None:
    if is_both:
        raise ConfigError(f"{origin}: {old} is the former name of {new}: give only {new}")
