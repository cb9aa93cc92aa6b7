"""Working directories that commands are called in."""

import pytest


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def demo(published_demo, monkeypatch):
    """A working directory with a demo's settings and data."""
    monkeypatch.chdir(published_demo)
    return published_demo
