"""The command line: ``finops``. An error raised on purpose is shown as one sentence."""

from typing import Any

import click

from finops_pipeline.cli.analysts import costs, export, sql
from finops_pipeline.cli.config import config
from finops_pipeline.cli.data import backup, close, rebuild_ledger, restore
from finops_pipeline.cli.pipeline import demo, run, simulate, tick
from finops_pipeline.cli.status import doctor, status
from finops_pipeline.durable import DISK_FULL
from finops_pipeline.errors import FinopsError

COMMANDS: tuple[click.Command, ...] = (
    *(sql, costs, export),
    *(status, doctor),
    *(tick, run, demo, simulate),
    *(backup, restore, close, rebuild_ledger),
    config,
)


class _Commands(click.Group):
    def invoke(self, ctx: click.Context) -> Any:
        """Show an error raised on purpose as one sentence instead of a traceback."""
        try:
            return super().invoke(ctx)
        except FinopsError as error:
            raise click.ClickException(str(error)) from error
        except OSError as error:
            if error.filename is None and error.errno not in DISK_FULL:
                raise
            what = error.filename or "the answer cannot be written"
            raise click.ClickException(f"{what}: {error.strerror}") from error


@click.group(cls=_Commands, commands=COMMANDS)
@click.version_option(package_name="finops-pipeline")
def main() -> None:
    """Costs of Kubernetes clusters, every 15 minutes, in numbers that add up."""
