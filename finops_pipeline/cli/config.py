"""The commands that look at the settings: config show and config validate."""

import click

from finops_pipeline import settings as configuration


@click.group()
def config() -> None:
    """Look at the settings."""


@config.command()
def show() -> None:
    """Print every setting with its value; secrets are masked."""
    for key, value in configuration.load().masked().items():
        click.echo(f"{key} = {value}")


@config.command()
def validate() -> None:
    """Say whether the settings can be used; names those that are wrong, or doubtful."""
    settings = configuration.load()
    names = ", ".join(cluster.name for cluster in settings.clusters)
    click.echo(f"valid: clusters {names}; data in {settings.data_dir}")
    for warning in configuration.warnings(settings):
        click.echo(f"warning: {warning}", err=True)
