"""Answers to analysts: sql, costs and export, on a folder that a demo left."""

import csv
import io
import json
import re
from decimal import Decimal

import pytest

from finops_pipeline.cli.printing import DEMO_MARK
from finops_pipeline.installation.context import open_installation
from finops_pipeline.queries.published import ask, open_published
from finops_pipeline_tests.cli.commands import CLUSTER, finops, output, refusal, usage_error


def test_table_is_aligned_with_numbers_to_the_right_and_readable_money(demo):
    query = """
        select 'b' as name, 1234.5678901::decimal(28, 10) as cost, 2::double / 3 as ratio, 7 as n
        union all select 'long', null, 1e9, 12345
    """

    assert output(finops("sql", query)).splitlines() == [
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

    *_, row = output(finops("sql", query)).splitlines()

    assert re.split(r" {2,}", row) == [
        "2026-03-01 08:00",
        "2026-03-01 10:00",
        "2026-03-01",
        "true",
        "1e-07",
        "two lines",
    ]


def test_table_of_no_rows_is_its_heading(demo):
    text = output(finops("sql", "select day, team from costs.daily where false"))

    assert text == "day  team\n---  ----\n"


def test_long_table_ends_with_how_to_get_the_rest(demo):
    result = finops("sql", "from range(201)")

    assert len(output(result).splitlines()) == 202
    assert "the first 200 of 201 rows; --format csv prints all of them" in result.stderr
    assert len(output(finops("sql", "from range(201)", "--format", "csv")).splitlines()) == 202


def test_csv_has_every_digit(demo):
    query = "select window_start, team, total_cost, gpu_cost from costs.quarter_hourly order by all"
    with open_published(demo / "data") as connection:
        expected = ask(connection, query)

    heading, *rows = csv.reader(io.StringIO(output(finops("sql", query, "--format", "csv"))))

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

    rows = json.loads(output(finops("sql", query, "--format", "json")), parse_float=Decimal)

    assert {row["team"]: row["cost"] for row in rows} == expected
    assert {(row["empty"], row["unknown"]) for row in rows} == {(None, None)}


@pytest.mark.parametrize("style", ["table", "csv", "json"])
def test_answer_says_that_it_is_a_demo_beside_the_rows(demo, style):
    result = finops("sql", "select 1 as one", "--format", style)

    assert DEMO_MARK in result.stderr
    assert DEMO_MARK not in output(result)


def test_real_data_bears_no_mark(folder):
    (folder / "finops.toml").write_text(CLUSTER.format(name="prod"))
    with open_installation() as installation:
        installation.publish()

    for result in (finops("sql", "select 1 as one"), finops("status")):
        assert DEMO_MARK not in output(result) + result.stderr


def test_wrong_query_is_one_sentence(demo):
    assert refusal(finops("sql", "selec 1")) == ('Parser Error: syntax error at or near "selec"')


def test_sql_cannot_write(demo):
    for query in ("delete from costs.daily", "copy (select 1) to 'data/lake/mine.parquet'"):
        assert "only a select is answered" in refusal(finops("sql", query))


def test_sql_is_stopped_in_time_and_cut_at_the_limit(demo):
    endless = "select count(*) from range(10000000) as a, range(10000000) as b"

    cut = finops("sql", "from range(5)", "--limit", "2", "--format", "csv")

    assert output(cut).splitlines() == ["range", "0", "1"]
    assert "cut after 2 rows; --limit allows more" in cut.stderr
    assert refusal(finops("sql", endless, "--timeout", "0.3")).startswith("stopped after 0.3 s")


def test_costs_are_a_table_with_a_total_that_is_their_sum(demo):
    result = finops("costs", "--by", "cost_kind, cluster", "--window", "2d", "--compare", "none")

    first, _, heading, rule, *rows, rule_again, total = output(result).splitlines()
    assert re.fullmatch(r"cost in USD, \d{4}-\d\d-\d\d to \d{4}-\d\d-\d\d \(UTC\)", first)
    assert heading.split() == ["cost_kind", "cluster", "total_cost", "share_ratio"]
    assert rule == rule_again
    assert {row.split()[0] for row in rows} == {"(idle)", "(unmounted)", "workload"}
    # Each is rounded to 4 decimals.
    row_sum = sum(Decimal(row.split()[2]) for row in rows)
    assert abs(row_sum - Decimal(total.split()[1])) <= Decimal("0.0002")
    assert DEMO_MARK in result.stderr
    assert "incomplete" in result.stderr


def test_costs_by_team_say_who_pays_for_what(demo):
    answer = json.loads(
        output(finops("costs", "--window", "2d", "--format", "json")), parse_float=Decimal
    )

    assert {"checkout", "unmounted", "unattributed"} < {row["team"] for row in answer["rows"]}
    for row in [*answer["rows"], answer["total"]]:
        parts = row["direct_cost"] + row["idle_cost"] + row["shared_cost"]
        assert row["total_cost"] == parts
    assert sum(row["total_cost"] for row in answer["rows"]) == answer["total"]["total_cost"]
    assert (answer["currency"], len(answer["days"]), len(answer["previous_days"])) == ("USD", 2, 2)
    with open_published(demo / "data") as connection:
        query = "select sum(total_cost) from costs.daily where day between $first and $last"
        first, last = answer["days"]
        ((published,),) = ask(connection, query, {"first": first, "last": last}).rows
    assert answer["total"]["total_cost"] == published


def test_costs_as_csv_have_every_group_and_nothing_else(demo):
    command = ("costs", "--by", "workload", "--window", "2d")
    table = output(finops(*command, "--limit", "3"))
    text = output(finops(*command, "--format", "csv"))
    rows = list(csv.DictReader(io.StringIO(text)))

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
    assert refusal(finops("costs", *arguments)).startswith(message)


@pytest.mark.parametrize("style", ["csv", "parquet", "xlsx", "focus"])
def test_export_writes_a_file_and_says_what_is_in_it(demo, tmp_path, style):
    path = tmp_path / f"costs.{style}"

    result = finops("export", "costs", "--format", style, "--out", str(path), "--window", "2d")

    match = re.fullmatch(rf"{path} has (\d+) rows, together (\S+) USD\n", output(result))
    assert match
    assert path.stat().st_size > 1000
    assert DEMO_MARK in result.stderr
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_export_names_its_file_after_level_and_days(published_demo, folder):
    (folder / "data").symlink_to(published_demo / "data")

    output(finops("export", "costs", "--level", "monthly", "--window", "30d"))
    output(finops("export", "costs", "--format", "focus", "--window", "30d"))

    names = sorted(path.name for path in folder.glob("costs-*"))
    assert [re.sub(r"\d", "0", name) for name in names] == [
        "costs-focus-0000-00-00-0000-00-00.csv",
        "costs-monthly-0000-00-00-0000-00-00.csv",
    ]


def test_export_writes_focus_as_parquet_where_the_name_ends_so(demo, tmp_path):
    path = tmp_path / "focus.parquet"

    output(finops("export", "costs", "--format", "focus", "--out", str(path), "--window", "2d"))

    assert path.read_bytes().startswith(b"PAR1")


def test_export_that_fails_leaves_the_file_of_before(demo, tmp_path):
    (tmp_path / "costs.csv").write_text("before")

    result = finops("export", "costs", "--out", str(tmp_path / "costs.csv"), "--window", "2020-01")

    assert refusal(result) == "there are no costs of 2020-01-01 to 2020-01-31"
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [
        ("costs.csv", "before")
    ]


def test_export_of_the_database_is_one_file(demo, tmp_path):
    path = tmp_path / "copy.duckdb"

    result = finops("export", "database", "--out", str(path), "--raw", "0d")

    assert re.fullmatch(rf"{path} has \d+\.\d MiB\n", output(result))
    assert [file.name for file in tmp_path.iterdir()] == ["copy.duckdb"]


def test_export_wants_a_number_of_days(demo, tmp_path):
    result = finops("export", "database", "--out", str(tmp_path / "it"), "--raw", "week")

    assert result.exit_code == 2
    assert "'week' is no number of days, such as 7d" in result.stderr


@pytest.mark.parametrize("name", ["finops.duckdb", "state.db", "new.csv"])
def test_nothing_is_exported_into_the_data_folder(demo, name):
    path = demo / "data" / name

    for command in (("costs", "--window", "2d"), ("database",)):
        message = usage_error(finops("export", *command, "--out", str(path)))
        assert "is the pipeline's own" in message


@pytest.mark.parametrize(
    "options", [("--timeout", "nan"), ("--timeout", "inf"), ("--limit", "9" * 20)]
)
def test_limits_that_are_none_are_refused(demo, options):
    assert "Invalid value" in usage_error(finops("sql", "select 1", *options))


def test_focus_has_no_level(demo):
    assert "leave out --level" in usage_error(
        finops("export", "costs", "--format", "focus", "--level", "hourly")
    )
