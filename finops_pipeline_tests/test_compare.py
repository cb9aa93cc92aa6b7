"""The comparison of two checkouts runs their own benchmarks, in turns, and keeps the lowest."""

from bench import compare

# Each run appends its checkout to a common file, and prints a figure that falls, then rises.
BENCHMARK = """
from pathlib import Path
log = Path("../log")
log.write_text((log.read_text() if log.exists() else "") + "{letter}")
number = log.read_text().count("{letter}")
print("a line that is no figure")
print("figure decode_cpu_seconds", {base} + (number - 2) ** 2, "goal <= 9", flush=True)
"""


def checkout(folder, letter, base):
    """Make a checkout whose only benchmark prints ``base`` in its second round, else more."""
    root = folder / letter
    (root / "bench").mkdir(parents=True)
    (root / "bench" / "__init__.py").touch()
    (root / "bench" / "bench_fake.py").write_text(BENCHMARK.format(letter=letter, base=base))
    return root


def test_lowest_figures_are_of_each_checkout_and_taken_in_turns(tmp_path):
    checkouts = checkout(tmp_path, "a", 3), checkout(tmp_path, "b", 4)

    here, there = compare.lowest_figures(checkouts, "bench_fake", rounds=3)

    assert (here["decode_cpu_seconds"], there["decode_cpu_seconds"]) == (3, 4)
    assert here["process_cpu_seconds"] > 0
    assert (tmp_path / "log").read_text() == "abbaab"


def test_each_figure_is_printed_with_its_ratio(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(compare, "ROOT", checkout(tmp_path, "a", 3))
    other = checkout(tmp_path, "b", 4)

    compare.main([str(other), "bench_fake", "--rounds", "2"])

    lines = capsys.readouterr().out.splitlines()
    assert "compare decode_cpu_seconds here 3 other 4 ratio 0.750" in lines
    assert len(lines) == 2
