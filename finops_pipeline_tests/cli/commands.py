"""Commands as people type them, and what they print."""

from click.testing import CliRunner, Result

from finops_pipeline.cli.main import main

CLUSTER = """
[[clusters]]
name = "{name}"
opencost_url = "http://{name}:9003"
prometheus_url = "http://{name}:9090"
"""


def finops(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, prog_name="finops")


def output(result: Result) -> str:
    """Return the standard output of a command that did well."""
    assert result.exit_code == 0, result.output
    return result.stdout


def refusal(result: Result) -> str:
    """Return the sentence of a command that was refused on purpose."""
    assert isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == 1
    _, message = result.stderr.split("Error: ", maxsplit=1)
    return message.strip()


def usage_error(result: Result) -> str:
    """Return the message of a command with options or arguments that it does not take."""
    assert result.exit_code == 2, result.output
    return result.stderr
