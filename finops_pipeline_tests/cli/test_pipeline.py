"""Commands that run the pipeline: their refusals and failures."""

import re

import pytest

from finops_pipeline.installation.context import open_installation
from finops_pipeline_tests.cli.commands import CLUSTER, finops, refusal


def test_a_tick_that_fails_says_why(folder):
    (folder / "finops.toml").write_text(
        '[[clusters]]\nname = "prod"\nopencost_url = "http://127.0.0.1:9"\n'
        'prometheus_url = "http://127.0.0.1:9"\n'
    )
    (folder / "data" / "finops.duckdb").mkdir(parents=True)  # in the way of the publication

    result = finops("tick")

    assert result.exit_code == 1
    assert re.search(r"^Error: tables: IsADirectoryError: .*finops\.duckdb", result.stderr, re.M)
    assert "DEBUG" not in result.stderr


@pytest.mark.parametrize("command", ["demo", "run"])
def test_what_starts_dagster_wants_the_repository(folder, command):
    (folder / "finops.toml").write_text(CLUSTER.format(name="prod"))

    assert refusal(finops(command)) == (
        "there is no workspace.yaml here: change to the root of the repository"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--to", "2026-03-01"], "--to needs --from"),
        (["--from", "2026-03-02", "--to", "2026-03-01"], "is after 2026-03-01"),
        (["--from", "2026-03-03", "--now", "2026-03-02T00:05:00Z"], "is after 2026-03-02"),
        (["--from", "2024-12-31"], "--from 2024-12-31 is before 2025-01-01, the first day"),
        (["--now", "yesterday"], "does not match the formats"),
    ],
)
def test_tick_refuses_days_that_make_no_sense(demo, arguments, message):
    result = finops("tick", *arguments)

    assert result.exit_code == 2
    assert message in result.stderr


def test_tick_says_in_one_sentence_that_the_data_is_of_another_installation(folder):
    (folder / "finops.toml").write_text(CLUSTER.format(name="prod"))
    with open_installation():
        pass
    (folder / "finops.toml").write_text('currency = "EUR"\n' + CLUSTER.format(name="prod"))

    assert refusal(finops("tick")).startswith("this data folder holds costs in USD")
