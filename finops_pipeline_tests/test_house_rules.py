"""Rules every file keeps, so that a reviewer need not look for them."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BODY_LINES = 30  # a longer body does more than one thing; typical are 4 to 8
MODULES = sorted(
    path for folder in ("finops_pipeline", "finops_pipeline_tests", "bench")
    for path in (ROOT / folder).rglob("*.py")
)  # fmt: skip
CODE = [path for path in MODULES if "migrations" not in path.parts]  # those are lists of steps
LOCKS = sorted(ROOT.glob("requirements*.lock"))
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


def test_command_line_starts_without_dagster():
    # Dagster takes 2 CPU-seconds to import: `finops sql` must not wait for it.
    code = "import sys, finops_pipeline.cli; sys.exit('dagster' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
