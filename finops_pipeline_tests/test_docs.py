import runpy
from pathlib import Path

import pytest

DOCS = Path(__file__).parent.parent / "docs"
PAGES = runpy.run_path(str(DOCS / "generate.py"))["pages"]()


@pytest.mark.parametrize(("name", "text"), PAGES.items(), ids=list(PAGES))
def test_generated_page_says_what_exists(name, text):
    assert (DOCS / name).read_text() == text, "run 'make docs'"
