"""Reads the columns of a table or view off its ``create`` statement, with their comments."""

import re
from collections.abc import Mapping
from typing import Any

_LIST = re.compile(r"create (?:table|view) \S+\s*\(\n(?P<lines>.*?)\n\)", re.DOTALL)
_LISTED = re.compile(
    r"^    (?!check\b|primary\b|unique\b)(?P<name>[a-z_0-9]+)(?:.*?-- (?P<comment>.+))?",
    re.MULTILINE,
)
# The outermost select stands at the margin; of a union the first says what the columns are.
_SELECT = re.compile(r"^select\n", re.MULTILINE)
_UNION = re.compile(r"^union\b", re.MULTILINE)
# A comment about a column stands behind its name; one about the SQL has its own line.
_SELECTED = re.compile(r"(?P<name>[a-z_0-9]+),? +-- (?P<comment>.+)$", re.MULTILINE)


def list_columns(ddl: str, syntax_tree: Mapping[str, Any]) -> dict[str, str]:
    """Return the comment of each column, in order; empty where the statement has none.

    Args:
        ddl: a ``create table``, or a ``create view`` whose columns are those of its select unless
            it lists them.
        syntax_tree: the select as DuckDB parses it.

    Raises:
        ValueError: a view lists no columns, and its select leaves one without a name.
    """
    if listed := _LIST.match(ddl):
        return dict(_LISTED.findall(listed["lines"]))
    *_, outer_select = _SELECT.split(_UNION.split(ddl)[0])
    comments = dict(_SELECTED.findall(outer_select))
    return {name: comments.get(name, "") for name in selected_names(syntax_tree)}


def selected_names(syntax_tree: Mapping[str, Any]) -> list[str]:
    """Return the names of the columns of a select, in order.

    Raises:
        ValueError: it leaves one without a name, or takes all that a table has.
    """
    node = syntax_tree["statements"][0]["node"]
    while "left" in node:  # a union has the columns of its first select
        node = node["left"]
    names = [item["alias"] or item.get("column_names", [""])[-1] for item in node["select_list"]]
    if not all(names):
        raise ValueError("a select that says which columns there are has to name each")
    return names
