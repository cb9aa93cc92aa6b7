"""Promises of the README and its sister pages: queries answer, commands exist and print."""

import re
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from finops_pipeline.cli.main import main
from finops_pipeline.queries.published import ask, open_published

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
QUERY_BOOK = (ROOT / "docs" / "queries.md").read_text()
COMMANDS = (ROOT / "docs" / "commands.md").read_text()
QUERIES = re.findall(r"```sql\n(.*?)```", QUERY_BOOK, re.DOTALL)
README_LINES = 130
# On the first day of a month, UTC, none of its days is complete: its end cannot be projected.
UNKNOWN_ON_THE_FIRST = {"projected_cost", "projected_ratio"}


@pytest.fixture
def demo_folder(published_demo: Path, tmp_path: Path, monkeypatch) -> Path:
    """A working directory whose ``data`` is that of a demo."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").symlink_to(published_demo / "data")
    return tmp_path


def console(page: str) -> list[str]:
    """Return the lines of the one console session on a page."""
    session: str
    (session,) = re.findall(r"```console\n(.*?)```", page, re.DOTALL)
    return session.strip().splitlines()


def run(command: str) -> click.testing.Result:
    """Run a command as it is typed on a page, after ``$ finops``."""
    return CliRunner().invoke(main, shlex.split(command)[2:], prog_name="finops")


def commands(group: click.Group, name: str) -> Iterator[str]:
    """List every command that is shown, as one types it."""
    for part, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{name} {part}")
        elif not command.hidden:
            yield f"{name} {part}"


def without_numbers(line: str) -> str:
    """Return a line without what changes from day to day."""
    return re.sub(r"[\d.]*\d", "0", " ".join(line.split()))


def test_readme_fits_on_a_page_or_two():
    assert len(README.splitlines()) <= README_LINES


def test_answer_in_the_readme_is_that_of_its_query(demo_folder):
    command, *answer = console(README)

    result = run(command)

    assert result.exit_code == 0, result.output
    mark, head, _, *rows = answer
    printed = result.stdout.splitlines()
    assert mark in result.stderr
    assert head.split() == printed[0].split()
    assert {row.split()[0] for row in rows} <= {line.split()[0] for line in printed}


def test_there_are_queries():
    assert len(QUERIES) >= 16


@pytest.mark.parametrize("query", QUERIES, ids=range(1, len(QUERIES) + 1))
def test_query_finds_rows_in_a_demo(query, published_demo):
    with open_published(published_demo / "data") as connection:
        answer = ask(connection, query)

    assert answer.rows
    unknown = UNKNOWN_ON_THE_FIRST if datetime.now(UTC).day == 1 else set()
    for name, *values in zip(answer.columns, *answer.rows, strict=True):
        assert name in unknown or any(value is not None for value in values), name


def test_every_question_has_a_query():
    questions = re.findall(r"^### .+\?$", QUERY_BOOK, re.MULTILINE)

    assert len(questions) == len(QUERIES)


def test_commands_of_analysts_say_what_is_shown(demo_folder):
    lines = console(COMMANDS)

    for command, shown in zip(lines[::2], lines[1::2], strict=True):
        result = run(command)
        assert result.exit_code == 0, result.output
        assert without_numbers(shown) in map(without_numbers, result.stdout.splitlines()), command


def test_notebook_example_runs(published_demo, monkeypatch):
    monkeypatch.chdir(published_demo)
    (example,) = re.findall(r"```python\n(.*?)```", QUERY_BOOK, re.DOTALL)
    *imports, last = example.strip().splitlines()

    names: dict[str, object] = {}
    exec("\n".join(imports), names)
    frame = eval(last, names)

    assert list(frame.columns) == ["day", "team", "cost"]
    assert frame["cost"].dtype == "float64"


def test_commands_are_those_that_exist():
    listed = re.findall(r"^\| `(finops [a-z -]+)` \|", COMMANDS, re.MULTILINE)

    assert sorted(listed) == sorted(commands(main, "finops"))


def test_commands_in_the_readme_exist():
    typed = re.findall(r"^ *\.venv/bin/finops ([^#\n]+)", README, re.MULTILINE)

    assert typed
    assert [line for line in typed if run(f"$ finops {line} --help").exit_code] == []
