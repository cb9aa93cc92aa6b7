"""The settings that a command works with: those of the user, or those of a demo."""

import os

from finops_pipeline import settings as configuration
from finops_pipeline.settings import Settings


def load_settings_or_demo() -> Settings:
    """Load the settings; without any, those that a demo left in the data folder.

    Not for ``tick`` and ``run``: the clusters of a demo answer only while it runs.
    """
    demo_file = configuration.load_data_dir() / "demo.toml"
    is_configured = (
        configuration.DEFAULT_FILE.exists()
        or {configuration.CONFIG_VARIABLE, "FINOPS_CLUSTERS"} & os.environ.keys()
    )
    return configuration.load(None if is_configured or not demo_file.exists() else demo_file)
