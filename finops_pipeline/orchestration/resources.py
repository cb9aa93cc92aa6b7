"""The one resource of all assets: the configured installation, opened for a step and closed."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import dagster as dg

from finops_pipeline.errors import DamageRepaired
from finops_pipeline.installation.context import Installation, open_installation, utc_now
from finops_pipeline.operations.repair import repair_damage

# Each attempt of a step takes at least one damaged file out of its way.
_MOST_ATTEMPTS = 1000


class InstallationResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The installation that finops.toml and FINOPS_ variables describe.

    The settings are read when a step runs, so that the UI starts and explains itself without any.
    """

    now: str = ""  # ISO 8601 with offset: pretend that it is then; empty: the machine's clock

    @contextmanager
    def open(self) -> Iterator[Installation]:
        """Open the installation, closed at the end of the block."""
        with open_installation(clock=self.clock) as installation:
            yield installation

    @contextmanager
    def open_and_repair(self) -> Iterator[Installation]:
        """Open the installation for a step that reads lake or warehouse, and repair damage.

        Raises:
            RetryRequested: something was damaged and is out of the way; the step begins again.
        """
        try:
            with self.open() as installation, repair_damage(installation):
                yield installation
        except DamageRepaired as damage:
            raise dg.RetryRequested(max_retries=_MOST_ATTEMPTS) from damage

    def clock(self) -> datetime:
        """Return the time of this run."""
        return datetime.fromisoformat(self.now).astimezone(UTC) if self.now else utc_now()
