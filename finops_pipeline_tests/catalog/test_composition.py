"""Tests of selects that read named parts."""

import duckdb

from finops_pipeline.catalog.composition import compose, part_names

PARTS = {
    "one": "-- A row.\n\n-- Why.\nselect 1 as number;\n",
    "two": "with twice as (select number * 2 as number from part.one)\nselect number from twice",
}


def answer(query: str) -> list[tuple[object, ...]]:
    return duckdb.sql(query).fetchall()


def test_parts_are_named_in_the_order_in_which_they_are_read():
    query = "-- Not part.zero: from part.none.\nfrom part.two\nleft join part.one using (number)"

    assert part_names(f"{query} union all from part.two") == ["two", "one"]


def test_a_column_of_a_table_called_part_is_no_part():
    query = "select part.number from costs.daily as part"

    assert part_names(query) == []
    assert compose(query, {}) == query


def test_a_select_has_its_parts_in_front_of_it():
    assert answer(compose("select two.number + 1 from part.two", PARTS)) == [(3,)]


def test_a_select_keeps_the_tables_that_it_names_itself():
    query = "-- Why.\nwith more as (select number + 5 from part.one)\nfrom more"

    assert answer(compose(query, PARTS)) == [(6,)]


def test_words_of_sql_may_be_in_upper_case():
    query = "WITH more AS (SELECT number + 5 FROM part.one) FROM more"

    assert part_names(query) == ["one"]
    assert answer(compose(query, PARTS)) == [(6,)]


def test_a_part_may_end_with_a_comment():
    parts = {"one": "select 1 as number;  -- The only one.\n-- Really.\n"}

    assert answer(compose("from part.one", parts)) == [(1,)]
