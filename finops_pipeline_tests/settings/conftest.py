"""A folder of its own for each test, and files in it."""

import pytest


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """A folder without finops.toml."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def file(tmp_path):
    def write(text, name="finops.toml"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write
