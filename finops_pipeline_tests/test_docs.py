import re
import runpy
from pathlib import Path

import pytest

from finops_pipeline.catalog.files import sql_files

DOCS = Path(__file__).parent.parent / "docs"
PAGES = runpy.run_path(str(DOCS / "generate.py"))["pages"]()


@pytest.mark.parametrize(("name", "text"), PAGES.items(), ids=list(PAGES))
def test_generated_page_says_what_exists(name, text):
    assert (DOCS / name).read_text() == text, "run 'make docs'"


def test_comment_of_a_column_stands_on_its_line():
    # A comment inside the select of a view was taken for that of the column above it.
    lines = PAGES["tables.md"].split("## costs.line_item\n")[1].split("\n## ")[0]

    assert "| `network_cost` | decimal(28,10) | as the source says [currency] |" in lines


def section(heading: str) -> str:
    """A section of the page on operations."""
    _, rest = (DOCS / "operations.md").read_text().split(f"## {heading}\n")
    return rest.split("\n## ")[0]


def test_page_on_operations_says_what_to_do_about_each_check():
    text = section("When a check is red")
    listed = re.findall(r"^\| `([a-z_]+)`( \(blocking\))? \|", text, re.MULTILINE)

    assert {name for name, blocking in listed if not blocking} == sql_files("checks").keys()
    assert {name for name, blocking in listed if blocking} == sql_files("checks/blocking").keys()
