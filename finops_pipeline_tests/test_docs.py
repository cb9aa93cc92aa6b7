import re
import runpy
import tomllib
from pathlib import Path

import pytest

from finops_pipeline.catalog.files import sql_files
from finops_pipeline.catalog.tables import tables
from finops_pipeline.settings import describe

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
GENERATED = runpy.run_path(str(DOCS / "generate.py"))["format_pages"]()
PAGES = [*ROOT.glob("*.md"), ROOT / "deploy" / "README.md", *sorted(DOCS.rglob("*.md"))]


@pytest.mark.parametrize(("name", "text"), GENERATED.items(), ids=list(GENERATED))
def test_generated_page_says_what_exists(name, text):
    assert (DOCS / name).read_text() == text, "run 'make docs'"


def test_every_schema_has_its_page():
    pages = {path.stem for path in (DOCS / "tables").glob("*.md")}

    assert pages == {"README", *(table.schema for table in tables().values())}


def test_list_of_tables_leads_to_each_table():
    listed = re.findall(r"^\| \[(.+?)\]\(", GENERATED["tables/README.md"], re.MULTILINE)

    assert sorted(listed) == sorted(tables())


def test_every_table_has_its_section():
    texts = [text for name, text in GENERATED.items() if name.startswith("tables/")]
    sections = re.findall(r"^## (\w+\.\w+)$", "\n".join(texts), re.MULTILINE)

    assert sorted(sections) == sorted(tables())


def test_every_setting_has_its_row():
    keys = re.findall(r"^\| `(.+?)` \|", GENERATED["settings.md"], re.MULTILINE)

    assert keys == [key.key for key in describe()]


def test_comment_of_a_column_stands_on_its_line():
    # A comment inside the select of a view was taken for that of the column above it.
    lines = GENERATED["tables/costs.md"].split("## costs.line_item\n")[1].split("\n## ")[0]

    assert "| `network_cost` | decimal(28,10) | as the source says [currency] |" in lines


def test_page_on_troubleshooting_says_what_to_do_about_each_check():
    page = (DOCS / "troubleshooting.md").read_text()
    text = page.split("## When a check is red\n")[1].split("\n## ")[0]
    listed = re.findall(r"^\| `([a-z_]+)`( \(blocking\))? \|", text, re.MULTILINE)

    assert {name for name, blocking in listed if not blocking} == sql_files("checks").keys()
    assert {name for name, blocking in listed if blocking} == sql_files("checks/blocking").keys()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_and_headings(page):
    links = re.findall(r"\]\(([^)]+)\)", page.read_text())

    assert [link for link in links if not link.startswith("http") and not leads(page, link)] == []


def leads(page: Path, link: str) -> bool:
    """Return whether a link of a page leads to a file, and to a heading if it names one."""
    name, _, anchor = link.partition("#")
    target = page.parent / name if name else page
    return target.exists() and (not anchor or anchor in anchors(target))


def anchors(page: Path) -> set[str]:
    """List the headings of a page as GitHub names them in links."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in headings}


def test_page_on_contributing_names_files_that_exist():
    page = (ROOT / "CONTRIBUTING.md").read_text()
    lines = [line for line in page.splitlines() if "(planned)" not in line]
    paths = re.findall(r"`([\w./]+(?:/|\.\w+))`", "\n".join(lines))
    folders = (ROOT, ROOT / "finops_pipeline", ROOT / "finops_pipeline_tests")

    assert "installation/source_registry.py" in paths
    assert [path for path in paths if not any((folder / path).exists() for folder in folders)] == []


def test_design_names_every_room_and_gives_it_a_place():
    _, page = (DOCS / "design.md").read_text().split("## 6. Folders\n")
    tree, layers, *_ = re.findall(r"```\n(.*?)```", page, re.DOTALL)
    package = ROOT / "finops_pipeline"
    rooms = {path.name for path in package.iterdir() if path.is_dir() and any(path.glob("*.py"))}

    assert set(re.findall(r"^  (\w+)/ ", tree, re.MULTILINE)) == rooms | {"sql"}
    assert rooms - {"sql"} <= set(re.findall(r"\w+", layers))


def test_newest_version_of_the_changelog_is_that_of_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    versions = re.findall(r"^## (\d\S+) ", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)

    assert versions[0] == project["version"]


def test_sections_that_messages_name_exist():
    sources = [path.read_text() for path in (ROOT / "finops_pipeline").rglob("*.py")]
    named = re.findall(r"([\w ]+) in docs/(\w+\.md)", "\n".join(sources))

    assert named
    for words, page in named:
        headings = re.findall(r"^#+ (.+)$", (DOCS / page).read_text(), re.MULTILINE)
        assert words.endswith(tuple(headings)), f"{words} in {page}"


def test_link_to_a_heading_that_is_gone_is_noticed(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# A page\n\n## Month's end\n")

    assert leads(page, "#months-end")
    assert leads(page, "page.md#a-page")
    assert not leads(page, "page.md#months-begin")
    assert not leads(page, "other.md")
