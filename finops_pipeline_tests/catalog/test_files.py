"""Tests of files of one select: their folders, and tables replaced in them."""

from finops_pipeline.catalog.files import replace_table, sql_files


def test_checks_and_metrics_are_files_of_their_folder():
    assert "rows_unique" in sql_files("checks/blocking")
    assert "rows_unique" not in sql_files("checks")
    assert all(name.startswith("finops_") for name in sql_files("metrics"))


def test_a_select_reads_other_rows_under_the_name_of_its_table():
    query = "select daily.cost from costs.daily join costs.daily_total using (day)"

    assert replace_table(query, "costs.daily", "from cached") == (
        "select daily.cost from (from cached) as daily join costs.daily_total using (day)"
    )
