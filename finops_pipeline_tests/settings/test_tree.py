"""The example documents every setting, and changes nothing."""

import re
import tomllib
from pathlib import Path

import pytest

from finops_pipeline.settings import describe, load

ROOT = Path(__file__).parents[2]


def test_the_example_loads_and_changes_nothing_but_the_clusters():
    example = load(ROOT / "finops.example.toml", {})

    keys = {"name", "opencost_url", "prometheus_url"}
    (only,) = example.clusters
    assert example == load(environ={"FINOPS_CLUSTERS": f"[{only.model_dump_json(include=keys)}]"})


def test_the_example_documents_each_key_once_with_its_default():
    documented = list(_example_keys())

    keys = [key for key in describe() if not key.is_secret]
    assert [key for key, _, _ in documented] == [key.key for key in keys]
    for key, (_, value, comment) in zip(keys, documented, strict=True):
        assert key.text in comment
        assert not key.unit or f"[{key.unit}]" in comment
        is_example = "[]" in key.key or key.default is None
        assert is_example or value == _plain(key.default)


def test_every_key_says_what_it_is_for():
    assert [key.key for key in describe() if not key.text] == []


@pytest.mark.parametrize("unit", ["days", "hours", "minutes", "seconds"])
def test_a_duration_names_its_unit(unit):
    names = {key.key for key in describe() if key.key.endswith(f"_{unit}")}

    assert names == {key.key for key in describe() if key.unit == unit}


def _example_keys():
    """Yield key, value and comment of each setting, also of those in a comment."""
    sections = {key.key.rpartition(".")[0] for key in describe()}
    sections_by_name = {section.replace("[]", ""): section for section in sections}
    section, comment = "", ""
    for line in (ROOT / "finops.example.toml").read_text().splitlines():
        if match := re.fullmatch(r"(?:# )?\[+([a-z.]+)(\]+)", line):
            section, comment = f"{sections_by_name[match[1]]}.", ""
            assert section.endswith("[].") == (match[2] == "]]")
        elif match := re.fullmatch(r"(?:# )?([a-z_]+) = (.+)", line):
            value = tomllib.loads(f"value = {match[2]}")["value"]
            yield section + match[1], value, comment
            comment = ""
        else:
            comment = f"{comment} {line.removeprefix('#').strip()}" if line else ""


def _plain(default: object) -> object:
    """Return a default as TOML gives it."""
    if isinstance(default, tuple):
        return list(default)
    return default if isinstance(default, bool | int | str) else str(default).strip("*")
