"""What the README promises: its queries answer, its commands and files exist."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from finops_pipeline.cli.main import main
from finops_pipeline.queries.published import ask, open_published

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
QUERIES = re.findall(r"```sql\n(.*?)```", README, re.DOTALL)


def commands(group: click.Group, name: str) -> Iterator[str]:
    """Every command that is shown, as one types it."""
    for part, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{name} {part}")
        elif not command.hidden:
            yield f"{name} {part}"


def test_there_are_queries():
    assert len(QUERIES) >= 10


@pytest.mark.parametrize("query", QUERIES, ids=range(1, len(QUERIES) + 1))
def test_query_finds_rows_in_a_demo(query, published_demo):
    with open_published(published_demo / "data") as connection:
        answer = ask(connection, query)

    assert answer.rows
    for name, *values in zip(answer.columns, *answer.rows, strict=True):
        assert any(value is not None for value in values), name


def test_commands_of_analysts_say_what_is_shown(published_demo, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").symlink_to(published_demo / "data")
    (block,) = re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    lines = block.strip().splitlines()

    for command, shown in zip(lines[::2], lines[1::2], strict=True):
        ran = CliRunner().invoke(main, shlex.split(command)[2:], prog_name="finops")
        assert ran.exit_code == 0, ran.output
        assert without_numbers(shown) in map(without_numbers, ran.stdout.splitlines()), command


def without_numbers(line: str) -> str:
    """What does not change from day to day."""
    return re.sub(r"[\d.]*\d", "0", " ".join(line.split()))


def test_notebook_example_runs(published_demo, monkeypatch):
    monkeypatch.chdir(published_demo)
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    *imports, last = example.strip().splitlines()

    names: dict[str, object] = {}
    exec("\n".join(imports), names)
    frame = eval(last, names)

    assert list(frame.columns) == ["day", "team", "cost"]
    assert frame["cost"].dtype == "float64"


def test_commands_are_those_that_exist():
    listed = re.findall(r"^\| `(finops [a-z -]+)` \|", README, re.MULTILINE)

    assert sorted(listed) == sorted(commands(main, "finops"))
