"""Rules every file keeps, so that a reviewer need not look for them."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from finops_pipeline.catalog.columns import selected_names
from finops_pipeline.catalog.files import SQL_DIR, SqlFile, sql_files
from finops_pipeline.catalog.tables import SCHEMAS, tables
from finops_pipeline_tests.sql.data import Data, used

ROOT = Path(__file__).parent.parent
BODY_LINES = 30  # a longer body does more than one thing; typical are 4 to 8
MODULES = sorted(
    path for folder in ("finops_pipeline", "finops_pipeline_tests", "bench")
    for path in (ROOT / folder).rglob("*.py")
)  # fmt: skip
CODE = [path for path in MODULES if "migrations" not in path.parts]  # those are lists of steps
PRODUCT = [path for path in CODE if path.is_relative_to(ROOT / "finops_pipeline")]
LOCKS = sorted(ROOT.glob("requirements*.lock"))
SQL = sorted(SQL_DIR.rglob("*.sql"))
SQL_LINE = 110
CHECKS = {**sql_files("checks"), **sql_files("checks/blocking")}
QUERIES = {**sql_files("exports"), **sql_files("queries")}
# Values of parameters that select days; others are null, as an option that was left out.
QUERY_PARAMETERS = {
    "first": "2026-03-01",
    "after": "2026-03-03",
    "start": datetime(2026, 3, 1, tzinfo=UTC),
    "end": datetime(2026, 4, 1, tzinfo=UTC),
}
# The last word of a number's name: what is counted, or its unit; parts of a date are their own.
UNITS = {
    "amount",
    "bytes",
    "cores",
    "cost",
    "count",
    "days",
    "hours",
    "minutes",
    "month",
    "price",
    "quarter",
    "ratio",
    "seconds",
    "total",
    "weekday",
    "weight",
    "year",
}
INSTANTS = ("_at", "_start", "_from", "_until")  # and hour, whose name is its unit
# Sets that stay small, so that Prometheus does not grow with each pod.
LABELS = {
    "cluster",
    "namespace",
    "team",
    "environment",
    "resource",
    "source",
    "version",
    "currency",
}
RANKED_LABELS = {"workload_kind", "workload"}  # only of the largest
# What a file must not hold, and what to do instead. Split so that this file does not hold it.
FORBIDDEN = {
    "TO" + "DO": "open an issue",
    "FIX" + "ME": "fix it, or open an issue",
    "mock" + ".patch": "use a fake: a transport, a file in tmp_path, the embedded cluster",
    "Magic" + "Mock": "use a fake: a transport, a file in tmp_path, the embedded cluster",
    "pytest" + ".skip": "mark it needs(program): CI has to run every test",
    "except " + "Exception": "catch what can happen",
    "/ro" + "ot/": "no path of one machine",
}

# First words that say nothing of what a thing is or does.
EMPTY_OPENERS = frozenset(
    [
        "a",
        "above",
        "after",
        "again",
        "against",
        "all",
        "also",
        "although",
        "an",
        "and",
        "any",
        "anybody",
        "anything",
        "are",
        "as",
        "asked",
        "at",
        "away",
        "be",
        "because",
        "before",
        "behind",
        "below",
        "beside",
        "between",
        "both",
        "but",
        "by",
        "can",
        "could",
        "each",
        "either",
        "else",
        "enough",
        "even",
        "every",
        "everybody",
        "everyone",
        "everything",
        "few",
        "first",
        "for",
        "from",
        "given",
        "half",
        "has",
        "have",
        "here",
        "how",
        "if",
        "in",
        "inside",
        "is",
        "it",
        "its",
        "just",
        "kept",
        "let",
        "like",
        "made",
        "many",
        "may",
        "more",
        "most",
        "much",
        "must",
        "neither",
        "never",
        "new",
        "next",
        "no",
        "nobody",
        "none",
        "not",
        "nothing",
        "now",
        "of",
        "off",
        "on",
        "once",
        "one",
        "only",
        "or",
        "other",
        "others",
        "out",
        "over",
        "own",
        "same",
        "several",
        "should",
        "since",
        "so",
        "some",
        "somebody",
        "something",
        "still",
        "such",
        "than",
        "that",
        "the",
        "their",
        "them",
        "then",
        "there",
        "these",
        "they",
        "this",
        "those",
        "though",
        "through",
        "to",
        "told",
        "together",
        "too",
        "two",
        "under",
        "until",
        "up",
        "upon",
        "was",
        "what",
        "whatever",
        "when",
        "where",
        "whether",
        "which",
        "while",
        "who",
        "whoever",
        "whole",
        "whom",
        "whose",
        "why",
        "with",
        "within",
        "without",
        "would",
        "yet",
    ]
)
ARTICLES = {"a", "an", "the"}  # may open the docstring of a class, a property or a module
EMPTY_NAMES = {"it", "one"}  # a variable says what it holds


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def functions(path: Path) -> Iterator[ast.FunctionDef]:
    return (node for node in ast.walk(tree(path)) if isinstance(node, ast.FunctionDef))


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def body_lines(function: ast.FunctionDef) -> int:
    """Lines of a body without its docstring; a single statement is one thing, say a list."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if len(body) > 1 else 1


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_module_says_what_belongs_in_it(path):
    is_test = path.name.startswith("test_")
    assert is_test or not path.read_text() or ast.get_docstring(tree(path))


@pytest.mark.parametrize("path", CODE, ids=name)
def test_function_fits_in_one_look(path):
    assert [(f.name, f.lineno) for f in functions(path) if body_lines(f) > BODY_LINES] == []


def opens_emptily(node: ast.AST, docstring: str) -> bool:
    """Return whether a docstring does not begin with a verb or a concrete noun."""
    word = (re.match(r"\W*(\w+)", docstring) or [""])[0].strip("`\"'").lower()
    is_called = isinstance(node, ast.FunctionDef) and not any(
        "property" in ast.unparse(decorator) for decorator in node.decorator_list
    )
    return word in EMPTY_OPENERS and (is_called or word not in ARTICLES)


@pytest.mark.parametrize("path", PRODUCT, ids=name)
def test_docstring_begins_with_a_verb_or_a_concrete_noun(path):
    described = (ast.Module, ast.ClassDef, ast.FunctionDef)
    nodes = (node for node in ast.walk(tree(path)) if isinstance(node, described))
    docstrings = ((node, ast.get_docstring(node) or "") for node in nodes)

    assert [text.split("\n")[0] for node, text in docstrings if opens_emptily(node, text)] == []


@pytest.mark.parametrize("path", PRODUCT, ids=name)
def test_variable_says_what_it_holds(path):
    names = (node for node in ast.walk(tree(path)) if isinstance(node, ast.Name | ast.arg))
    written = {
        node.arg if isinstance(node, ast.arg) else node.id
        for node in names
        if isinstance(node, ast.arg) or isinstance(node.ctx, ast.Store)
    }

    assert written & EMPTY_NAMES == set()


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_file_holds_nothing_forbidden(path):
    text = path.read_text()
    assert {word: instead for word, instead in FORBIDDEN.items() if word in text} == {}


@pytest.mark.parametrize("path", LOCKS, ids=name)
def test_lock_is_hashed_and_names_no_registry(path):
    text = path.read_text()
    packages = re.split(r"\n(?=[a-z])", text.split("make lock\n")[1])

    assert packages
    assert [package for package in packages if "--hash=sha256:" not in package] == []
    assert not re.search(r"https?://|--(extra-)?index-url|--find-links", text)


@pytest.mark.parametrize("module", ["cli.main", "cli.sql_worker"])
def test_command_line_starts_without_what_is_slow_to_import(module):
    # Dagster takes 2 CPU-seconds, pandas half of one: `finops sql` must not wait for them.
    slow = {"dagster", "pandas", "pyarrow", "numpy", "xlsxwriter"}
    code = f"import sys, finops_pipeline.{module}; sys.exit(bool({slow} & sys.modules.keys()))"

    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


@pytest.fixture(scope="module")
def empty() -> Data:
    """A database with every table, without rows."""
    return Data()


@pytest.fixture(scope="module")
def columns(empty: Data) -> list[tuple[str, str, str]]:
    """Table, name and type of every column."""
    return empty.connection.execute(
        "select schema_name || '.' || table_name, column_name, data_type from duckdb_columns()"
        " where not internal and schema_name <> 'internal'"
    ).fetchall()


def is_number(kind: str) -> bool:
    return kind.startswith("DECIMAL") or kind in {"DOUBLE", "FLOAT", "INTEGER", "BIGINT", "HUGEINT"}


def test_orchestration_holds_nothing_that_works_without_dagster():
    files = sorted((ROOT / "finops_pipeline" / "orchestration").rglob("[!_]*.py"))
    without = [name(path) for path in files if not imports(path) & {"dagster"}]

    assert files
    assert without == []


def imports(path: Path) -> set[str]:
    """Return the first parts of the names of the modules that a file imports."""
    nodes = list(ast.walk(tree(path)))
    modules = [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    modules += [a.name for node in nodes if isinstance(node, ast.Import) for a in node.names]
    return {module.partition(".")[0] for module in modules}


def test_no_test_file_is_a_helper_of_another():
    files = (ROOT / "finops_pipeline_tests").rglob("*.py")
    imports = [
        (name(path), node.module)
        for path in files
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ImportFrom) and ".test_" in (node.module or "")
    ]

    assert imports == []


@pytest.mark.parametrize("path", SQL, ids=name)
def test_sql_file_says_what_a_row_is_and_stays_readable(path):
    first, *_ = SqlFile(path).description.split("\n\n")

    assert first.endswith(".")
    assert first[0].isupper()
    lines = path.read_text().splitlines()
    assert [line for line in lines if len(line) > SQL_LINE or line != line.rstrip()] == []


@pytest.mark.parametrize("part", sql_files("parts").values(), ids=sql_files("parts"))
def test_part_names_its_columns_and_is_read(part):
    assert selected_names(part.syntax_tree)
    assert any(part.name in table.parts for table in tables().values())


def comments(table: str) -> dict[str, str]:
    return tables()[table].columns


def test_every_column_says_what_it_holds(columns):
    missing = [(table, column) for table, column, _ in columns if not comments(table)[column]]

    assert missing == []


def test_every_number_names_its_unit(columns):
    by_row = {table for table, column, _ in columns if column == "unit"}  # each row says its own
    numbers = [
        (table, column)
        for table, column, kind in columns
        if is_number(kind) and table not in by_row
    ]

    assert [name for name in numbers if name[1].rpartition("_")[2] not in UNITS] == []


def test_money_is_decimal_beyond_the_source(columns):
    money = [c for c in columns if c[1].endswith("_cost") and not c[0].startswith("raw.")]

    assert money
    assert [column for column in money if not column[2].startswith("DECIMAL")] == []


def test_yes_or_no_and_instants_are_named_so(columns):
    for table, column, kind in columns:
        if kind == "BOOLEAN":
            assert column.startswith(("is_", "has_")), f"{table}.{column}"
        if kind.startswith("TIMESTAMP"):
            assert column.endswith(INSTANTS) or column == "hour", f"{table}.{column}"
            assert kind == "TIMESTAMP WITH TIME ZONE", f"{table}.{column}"


@pytest.mark.parametrize("table", tables().values(), ids=tables())
def test_table_is_filled_from_its_left_and_answers_without_rows(empty, table):
    to_the_left = SCHEMAS[: SCHEMAS.index(table.schema) + 1]

    assert {read.partition(".")[0] for read in table.reads} <= set(to_the_left)
    if table.query and not table.is_view:
        empty.connection.execute(f"insert into {table.name} by name {table.query}", used(table))
    is_made_of_nothing = bool(table.query) and not table.reads
    assert bool(empty.rows(f"from {table.name}")) == is_made_of_nothing


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_check_of_the_lake_looks_at_a_range(check):
    # Without it a check would read every file of the lake, at each tick.
    assert not any(map(reads_the_lake, check.reads)) or {"start", "end"} <= check.parameters


def reads_the_lake(name: str) -> bool:
    """Return whether it is of the lake, or a view that ends there."""
    table = tables()[name]
    return table.is_raw or (table.is_view and any(map(reads_the_lake, table.reads)))


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_query_reads_tables_that_exist_and_answers_without_rows(empty, query):
    assert len(query.statements) == 1
    assert query.reads <= tables().keys()
    empty.rows(query.query, {name: QUERY_PARAMETERS.get(name) for name in query.parameters})


@pytest.mark.parametrize("metric", sql_files("metrics").values(), ids=sql_files("metrics"))
def test_metric_has_help_and_labels_that_stay_few(empty, metric):
    assert "\n" not in metric.description  # HELP is one line
    assert all(not tables()[read].is_raw for read in metric.reads)
    cursor = empty.connection.execute(metric.query or "", used(metric))
    *labels, value = [column[0] for column in cursor.description or []]

    assert value == "value"
    ranked = RANKED_LABELS if "top_workloads" in metric.parameters else set()
    assert set(labels) <= LABELS | ranked
