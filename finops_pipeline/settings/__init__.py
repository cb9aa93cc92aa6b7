"""Settings, with defaults and units, read from ``finops.toml`` and ``FINOPS_…`` variables.

A variable beats the file. Both are strict: what is unknown or wrong is a ``ConfigError`` that
names the file or variable and the dotted key. Secrets come from variables or mounted files only.
"""

from finops_pipeline.settings.attribution import (
    RESERVED,
    Attribution,
    Budget,
    Rule,
    Sharing,
    Team,
)
from finops_pipeline.settings.clusters import Cluster, Price, token_variables
from finops_pipeline.settings.loading import (
    CONFIG_VARIABLE,
    DEFAULT_FILE,
    load,
    load_data_dir,
    warnings,
)
from finops_pipeline.settings.tree import Key, Settings, describe
from finops_pipeline.settings.values import PREFIX, as_opencost_writes_it, http_url

__all__ = [
    "CONFIG_VARIABLE",
    "DEFAULT_FILE",
    "PREFIX",
    "RESERVED",
    "Attribution",
    "Budget",
    "Cluster",
    "Key",
    "Price",
    "Rule",
    "Settings",
    "Sharing",
    "Team",
    "as_opencost_writes_it",
    "describe",
    "http_url",
    "load",
    "load_data_dir",
    "token_variables",
    "warnings",
]
