"""The commands as people call them, on a folder that a demo left."""

import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from finops_pipeline.cli.main import main
from finops_pipeline.cli.printing import DEMO_MARK
from finops_pipeline.installation.context import open_installation
from finops_pipeline.queries.published import ask, open_published

ROOT = Path(__file__).parents[2]
FINOPS = Path(sys.executable).with_name("finops")
CLUSTER = """
[[clusters]]
name = "{name}"
opencost_url = "http://{name}:9003"
prometheus_url = "http://{name}:9090"
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def demo(published_demo, monkeypatch):
    """A working directory with a demo's settings and data."""
    monkeypatch.chdir(published_demo)
    return published_demo


def finops(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, prog_name="finops")


def said(result: Result) -> str:
    """Standard output of a command that did well."""
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(result: Result) -> str:
    """The sentence of a command that was refused on purpose."""
    assert isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == 1
    _, message = result.stderr.split("Error: ", maxsplit=1)
    return message.strip()


def test_table_is_aligned_with_numbers_to_the_right_and_readable_money(demo):
    query = """
        select 'b' as name, 1234.5678901::decimal(28, 10) as cost, 2::double / 3 as ratio, 7 as n
        union all select 'long', null, 1e9, 12345
    """

    assert said(finops("sql", query)).splitlines() == [
        "name       cost       ratio      n",
        "----  ---------  ----------  -----",
        "b     1234.5679      0.6667      7",
        "long             1000000000  12345",
    ]


def test_table_shows_instants_in_utc_and_other_values_as_sql_writes_them(demo, time_zone):
    query = """
        select timestamptz '2026-03-01 10:00:00+02' as instant,
            timestamp '2026-03-01 10:00' as local, date '2026-03-01' as day,
            true as is_true, 1e-7 as tiny, e'two\\nlines' as text
    """

    *_, row = said(finops("sql", query)).splitlines()

    assert re.split(r" {2,}", row) == [
        "2026-03-01 08:00",
        "2026-03-01 10:00",
        "2026-03-01",
        "true",
        "1e-07",
        "two lines",
    ]


def test_table_of_no_rows_is_its_heading(demo):
    shown = said(finops("sql", "select day, team from costs.daily where false"))

    assert shown == "day  team\n---  ----\n"


def test_long_table_ends_with_how_to_get_the_rest(demo):
    result = finops("sql", "from range(201)")

    assert len(said(result).splitlines()) == 202
    assert "the first 200 of 201 rows; --format csv prints all of them" in result.stderr
    assert len(said(finops("sql", "from range(201)", "--format", "csv")).splitlines()) == 202


def test_csv_has_every_digit(demo):
    query = "select window_start, team, total_cost, gpu_cost from costs.quarter_hourly order by all"
    with open_published(demo / "data") as connection:
        expected = ask(connection, query)

    heading, *rows = csv.reader(io.StringIO(said(finops("sql", query, "--format", "csv"))))

    assert heading == expected.columns
    assert [(row[0], row[1], Decimal(row[2]), Decimal(row[3])) for row in rows] == [
        (start.isoformat(), *others) for start, *others in expected.rows
    ]
    assert "0.0000000000" in {row[3] for row in rows}  # not 0E-10, which is no number to people


def test_json_has_every_digit_as_a_number(demo):
    query = "select team, max(total_cost) as cost, null as empty, 'nan'::double as unknown"
    query += " from costs.daily group by all order by all"
    with open_published(demo / "data") as connection:
        expected = {team: cost for team, cost, *_ in ask(connection, query).rows}

    rows = json.loads(said(finops("sql", query, "--format", "json")), parse_float=Decimal)

    assert {row["team"]: row["cost"] for row in rows} == expected
    assert {(row["empty"], row["unknown"]) for row in rows} == {(None, None)}


@pytest.mark.parametrize("style", ["table", "csv", "json"])
def test_answer_says_that_it_is_a_demo_beside_the_rows(demo, style):
    result = finops("sql", "select 1 as one", "--format", style)

    assert DEMO_MARK in result.stderr
    assert DEMO_MARK not in said(result)


def test_real_data_bears_no_mark(folder):
    (folder / "finops.toml").write_text(CLUSTER.format(name="prod"))
    with open_installation() as installation:
        installation.publish()

    for result in (finops("sql", "select 1 as one"), finops("status")):
        assert DEMO_MARK not in said(result) + result.stderr


def test_wrong_query_is_one_sentence(demo):
    assert refused(finops("sql", "selec 1")) == ('Parser Error: syntax error at or near "selec"')


def test_sql_cannot_write(demo):
    for query in ("delete from costs.daily", "copy (select 1) to 'data/lake/mine.parquet'"):
        assert "only a select is answered" in refused(finops("sql", query))


def test_sql_is_stopped_in_time_and_cut_at_the_limit(demo):
    endless = "select count(*) from range(10000000) as a, range(10000000) as b"

    cut = finops("sql", "from range(5)", "--limit", "2", "--format", "csv")

    assert said(cut).splitlines() == ["range", "0", "1"]
    assert "cut after 2 rows; --limit allows more" in cut.stderr
    assert refused(finops("sql", endless, "--timeout", "0.3")).startswith("stopped after 0.3 s")


def test_costs_are_a_table_with_a_total_that_is_their_sum(demo):
    result = finops("costs", "--by", "cost_kind, cluster", "--window", "2d", "--compare", "none")

    first, _, heading, rule, *rows, rule_again, total = said(result).splitlines()
    assert re.fullmatch(r"cost in USD, \d{4}-\d\d-\d\d to \d{4}-\d\d-\d\d \(UTC\)", first)
    assert heading.split() == ["cost_kind", "cluster", "total_cost", "share_ratio"]
    assert rule == rule_again
    assert {row.split()[0] for row in rows} == {"(idle)", "(unmounted)", "workload"}
    # Each is rounded to 4 decimals.
    shown = sum(Decimal(row.split()[2]) for row in rows)
    assert abs(shown - Decimal(total.split()[1])) <= Decimal("0.0002")
    assert DEMO_MARK in result.stderr
    assert "incomplete: " in result.stderr


def test_costs_by_team_say_who_pays_for_what(demo):
    found = json.loads(
        said(finops("costs", "--window", "2d", "--format", "json")), parse_float=Decimal
    )

    assert {"checkout", "unmounted", "unattributed"} < {row["team"] for row in found["rows"]}
    for row in [*found["rows"], found["total"]]:
        parts = row["direct_cost"] + row["idle_cost"] + row["shared_cost"]
        assert row["total_cost"] == parts
    assert sum(row["total_cost"] for row in found["rows"]) == found["total"]["total_cost"]
    assert (found["currency"], len(found["days"]), len(found["previous_days"])) == ("USD", 2, 2)
    with open_published(demo / "data") as connection:
        query = "select sum(total_cost) from costs.daily where day between $first and $last"
        first, last = found["days"]
        ((published,),) = ask(connection, query, {"first": first, "last": last}).rows
    assert found["total"]["total_cost"] == published


def test_costs_as_csv_have_every_group_and_nothing_else(demo):
    asked = ("costs", "--by", "workload", "--window", "2d")
    table = said(finops(*asked, "--limit", "3"))
    printed = said(finops(*asked, "--format", "csv"))
    rows = list(csv.DictReader(io.StringIO(printed)))

    assert re.search(rf"^\({len(rows) - 3} others\) ", table, re.MULTILINE)
    assert rows[0].keys() == {
        "workload", "total_cost", "share_ratio", "previous_cost", "change_cost", "change_ratio"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--by", "color"], "costs are not kept by color, but by team, "),
        (["--by", "node,container"], "costs are not kept by node and container together"),
        (["--window", "soon"], "'soon' is no window: today, yesterday, 7d"),
    ],
)
def test_costs_refuse_in_one_sentence(demo, arguments, message):
    assert refused(finops("costs", *arguments)).startswith(message)


@pytest.mark.parametrize("style", ["csv", "parquet", "xlsx", "focus"])
def test_export_writes_a_file_and_says_what_is_in_it(demo, tmp_path, style):
    path = tmp_path / f"costs.{style}"

    result = finops("export", "costs", "--format", style, "--out", str(path), "--window", "2d")

    found = re.fullmatch(rf"{path} has (\d+) rows, together (\S+) USD\n", said(result))
    assert found
    assert path.stat().st_size > 1000
    assert DEMO_MARK in result.stderr
    assert [it.name for it in tmp_path.iterdir()] == [path.name]


def test_export_names_its_file_after_level_and_days(published_demo, folder):
    (folder / "data").symlink_to(published_demo / "data")

    said(finops("export", "costs", "--level", "monthly", "--window", "30d"))
    said(finops("export", "costs", "--format", "focus", "--window", "30d"))

    named = sorted(path.name for path in folder.glob("costs-*"))
    assert [re.sub(r"\d", "0", name) for name in named] == [
        "costs-focus-0000-00-00-0000-00-00.csv",
        "costs-monthly-0000-00-00-0000-00-00.csv",
    ]


def test_export_writes_focus_as_parquet_where_the_name_ends_so(demo, tmp_path):
    path = tmp_path / "focus.parquet"

    said(finops("export", "costs", "--format", "focus", "--out", str(path), "--window", "2d"))

    assert path.read_bytes().startswith(b"PAR1")


def test_export_that_fails_leaves_the_file_of_before(demo, tmp_path):
    (tmp_path / "costs.csv").write_text("before")

    result = finops("export", "costs", "--out", str(tmp_path / "costs.csv"), "--window", "2020-01")

    assert refused(result) == "there are no costs of 2020-01-01 to 2020-01-31"
    assert [(it.name, it.read_text()) for it in tmp_path.iterdir()] == [("costs.csv", "before")]


def test_export_of_the_database_is_one_file(demo, tmp_path):
    path = tmp_path / "copy.duckdb"

    result = finops("export", "database", "--out", str(path), "--raw", "0d")

    assert re.fullmatch(rf"{path} has \d+\.\d MiB\n", said(result))
    assert [it.name for it in tmp_path.iterdir()] == ["copy.duckdb"]


def test_export_wants_a_number_of_days(demo, tmp_path):
    result = finops("export", "database", "--out", str(tmp_path / "it"), "--raw", "week")

    assert result.exit_code == 2
    assert "'week' is no number of days, such as 7d" in result.stderr


def test_status_tells_what_is_read_what_failed_and_what_is_due(demo):
    shown = said(finops("status"))

    assert shown.startswith(f"{DEMO_MARK}\npublished ")
    assert re.search(r"min ago\), in USD\n", shown)
    assert re.search(r"^demo +opencost +\d{4}-\d\d-\d\d \d\d:\d\d ", shown, re.MULTILINE)
    assert re.search(r"^demo +prometheus .* status 503: refused", shown, re.MULTILINE)
    assert re.search(r"^  demo opencost: \d+ missing", shown, re.MULTILINE)
    assert re.search(r"^  demo prometheus: .*failed before: cluster demo", shown, re.MULTILINE)


def test_status_works_on_what_a_demo_left_without_settings(published_demo, folder):
    shutil.copytree(published_demo / "data", "data")
    shutil.copy(published_demo / "finops.toml", "data/demo.toml")

    assert "\ndue now:\n  demo opencost: " in said(finops("status"))


def test_status_before_the_first_publication_says_what_is_due(folder):
    (folder / "finops.toml").write_text(CLUSTER.format(name="prod"))

    shown = said(finops("status"))

    assert shown.startswith("data/finops.duckdb does not exist yet: 'make demo' fills it")
    assert re.search(r"^  prod opencost: 13\d\d missing$", shown, re.MULTILINE)


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


def test_doctor_names_what_failed_with_its_fix_and_exits_with_1(folder):
    (folder / "finops.toml").write_text(
        '[[clusters]]\nname = "prod"\nopencost_url = "http://127.0.0.1:9"\n'
        'prometheus_url = "http://127.0.0.1:9"\n'
    )

    shown, told = finops("doctor"), finops("doctor", "--json")

    assert (shown.exit_code, told.exit_code) == (1, 1)
    assert re.search(r"^failed +prod +opencost +.*no answer: ConnectError", shown.stdout, re.M)
    assert "-> correct its address, token or certificates" in shown.stdout
    findings = json.loads(told.stdout)
    assert findings[0].keys() == {"subject", "check", "status", "message", "fix"}
    assert {(it["check"], it["status"]) for it in findings} >= {
        ("opencost", "failed"),
        ("opencost_answer", "unknown"),
        ("prometheus", "failed"),
        ("data_folder", "ok"),
    }


def test_config_show_masks_secrets(folder, monkeypatch):
    (folder / "finops.toml").write_text(CLUSTER.format(name="prod"))
    monkeypatch.setenv("FINOPS_CLUSTER_PROD_TOKEN", "very-secret")
    monkeypatch.setenv("FINOPS_STATE_URL", "postgresql+psycopg2://me:very-secret@db/finops")

    shown = said(finops("config", "show"))

    assert "very-secret" not in shown
    assert "clusters.0.opencost_url = http://prod:9003" in shown
    assert re.search(r"^clusters.0.opencost_token = \*+", shown, re.MULTILINE)


def test_config_validate_names_the_clusters(folder):
    (folder / "finops.toml").write_text(CLUSTER.format(name="a") + CLUSTER.format(name="b"))

    assert said(finops("config", "validate")) == "valid: clusters a, b; data in data\n"


def test_config_validate_warns_of_what_is_doubtful(folder):
    rule = '[[attribution.rules]]\nname = "shop"\nteam = "retial"\n[[teams]]\nname = "retail"\n'
    (folder / "finops.toml").write_text(rule + CLUSTER.format(name="a"))

    result = finops("config", "validate")

    assert result.exit_code == 0
    assert result.stdout == "valid: clusters a; data in data\n"
    assert result.stderr.startswith(
        "warning: attribution.rules.0: rule 'shop': no entry of [[teams]]"
    )


def test_config_validate_names_the_key_that_is_wrong(folder):
    (folder / "finops.toml").write_text("ingset = 1\n" + CLUSTER.format(name="a"))

    assert refused(finops("config", "validate")) == (
        "finops.toml: ingset: there is no such setting"
    )


COMMANDS = [
    ("sql", "select 1"),
    ("costs",),
    ("export", "costs"),
    ("export", "database", "--out", "there"),
    ("status",),
    ("tick",),
    ("run",),
    ("backup", "there"),
    ("rebuild-ledger",),
    ("config", "show"),
    ("config", "validate"),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_without_configuration_a_command_says_what_to_do(folder, command):
    message = refused(finops(*command))

    assert "'make demo'" in message
    assert "finops.toml" in message
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("command", ["demo", "run"])
def test_what_starts_dagster_wants_the_repository(folder, command):
    (folder / "finops.toml").write_text(CLUSTER.format(name="prod"))

    assert refused(finops(command)) == (
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

    assert refused(finops("tick")).startswith("this data folder holds costs in USD")


@pytest.mark.parametrize("command", ["tick", "status"])
def test_data_dir_that_is_a_file_is_one_sentence(folder, command):
    (folder / "finops.toml").write_text(CLUSTER.format(name="prod"))
    (folder / "data").touch()

    assert refused(finops(command)) == f"the data folder {folder}/data cannot be made: File exists"


def test_published_file_that_does_not_open_is_one_sentence(folder):
    (folder / "finops.toml").write_text(CLUSTER.format(name="prod"))
    (folder / "data").mkdir()
    (folder / "data" / "finops.duckdb").write_text("not a database")
    sentence = "cannot be opened as a DuckDB file; the next publication replaces it"

    assert refused(finops("sql", "select 1")) == f"data/finops.duckdb {sentence}"
    assert said(finops("status")).startswith(f"data/finops.duckdb {sentence}\n\ndue now:")


def test_a_backup_becomes_the_installation_again(folder):
    (folder / "finops.toml").write_text(CLUSTER.format(name="prod"))
    with open_installation():
        pass

    assert said(finops("backup", "there")) == (
        "there holds the ledger and 0 files of 0.0 MiB\n0 copied now, all verified\n"
    )
    assert refused(finops("restore", "there")).startswith("data/state.db exists: a backup is put")
    (folder / "data" / "state.db").unlink()
    assert said(finops("restore", "there")) == (
        "data holds the ledger and 0 files of 0.0 MiB\n"
        "run finops tick to compute and publish the tables\n"
    )


def test_a_lost_ledger_is_made_anew(folder):
    (folder / "finops.toml").write_text(CLUSTER.format(name="prod"))
    path = "raw.asset/window/cluster=prod/date=2026-03-01/1000-0.parquet"
    damaged = folder / "data" / "lake" / path
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(b"PAR1")

    assert said(finops("rebuild-ledger")).splitlines() == [
        "the ledger knows 0 files; restatements and failures of old are gone",
        f"damaged, moved to data/quarantine: {path}",
    ]
    assert not damaged.exists()


def test_version_is_that_of_the_package():
    assert said(finops("--version")) == f"finops, version {version('finops-pipeline')}\n"


def test_the_program_prints_one_sentence_and_no_traceback(folder):
    ran = subprocess.run(
        [FINOPS, "sql", "select 1"], env={"PATH": os.defpath}, capture_output=True, text=True
    )

    assert ran.returncode == 1
    assert ran.stderr.startswith("Error: data/finops.duckdb does not exist yet")
    assert ran.stderr.count("\n") == 1


def test_the_program_ends_quietly_when_nobody_reads_on(demo):
    command = f'"{FINOPS}" sql "from raw.allocation" --format csv | head -1'

    ran = subprocess.run(command, shell=True, capture_output=True, text=True)

    assert ran.stdout.startswith("cluster,window_start,allocation,")
    assert "Traceback" not in ran.stderr


def misused(result: Result) -> str:
    """What a command says that was called in a way that it does not know."""
    assert result.exit_code == 2, result.output
    return result.stderr


@pytest.mark.parametrize("name", ["finops.duckdb", "state.db", "new.csv"])
def test_nothing_is_exported_into_the_data_folder(demo, name):
    path = demo / "data" / name

    for command in (("costs", "--window", "2d"), ("database",)):
        said_so = misused(finops("export", *command, "--out", str(path)))
        assert "is the pipeline's own" in said_so


@pytest.mark.parametrize(
    "options", [("--timeout", "nan"), ("--timeout", "inf"), ("--limit", "9" * 20)]
)
def test_limits_that_are_none_are_refused(demo, options):
    assert "Invalid value" in misused(finops("sql", "select 1", *options))


def test_focus_has_no_level(demo):
    assert "leave out --level" in misused(
        finops("export", "costs", "--format", "focus", "--level", "hourly")
    )


def test_a_month_that_has_not_begun_is_not_closed(demo):
    assert "has not begun" in misused(finops("close", "9999-12"))
