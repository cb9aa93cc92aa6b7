"""The one resource of all assets: the configured installation, opened for a step and closed."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import dagster as dg

from finops_pipeline.orchestration.installation import Installation, open_installation, utc_now


class InstallationResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The installation that finops.toml and FINOPS_ variables describe.

    The settings are read when a step runs, so that the UI starts and explains itself without any.
    """

    now: str = ""  # ISO 8601 with offset: pretend that it is then; empty: the machine's clock

    @contextmanager
    def open(self) -> Iterator[Installation]:
        """The installation, closed at the end of the block."""
        with open_installation(clock=self.clock) as installation:
            yield installation

    def clock(self) -> datetime:
        """What time it is for this run."""
        return datetime.fromisoformat(self.now).astimezone(UTC) if self.now else utc_now()
