"""Compares a benchmark of two checkouts: ``python -m bench.compare OTHER_CHECKOUT bench_decode``.

The benchmark runs in turns in this and in the other checkout, each time in a process of its own.
The lowest value of each figure counts: what else the machine does only ever adds to it.
"""

import argparse
import math
import re
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent
ROUNDS = 5
FIGURE = re.compile(r"^figure (\S+) (\S+) ", re.MULTILINE)  # as bench.figures prints it

Figures = dict[str, float]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print each figure here and there, and the ratio: below 1 this checkout is better."""
    parser = argparse.ArgumentParser(prog="python -m bench.compare")
    parser.add_argument("other", type=Path, help="root of another checkout")
    parser.add_argument("benchmark", help="module of bench, such as bench_decode")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args(arguments)
    here, there = lowest_figures((ROOT, options.other), options.benchmark, options.rounds)
    for name in [name for name in here if name in there]:
        ratio = here[name] / there[name] if there[name] else math.nan
        print(f"compare {name} here {here[name]:.4g} other {there[name]:.4g} ratio {ratio:.3f}")


def lowest_figures(checkouts: Sequence[Path], benchmark: str, rounds: int) -> list[Figures]:
    """Return the lowest value of each figure, for each checkout; every second round in reverse."""
    lowest: list[Figures] = [{} for _ in checkouts]
    for number in range(rounds):
        turns = list(zip(checkouts, lowest, strict=True))
        for checkout, figures in reversed(turns) if number % 2 else turns:
            for name, value in measure(checkout, benchmark).items():
                figures[name] = min(value, figures.get(name, value))
    return lowest


def measure(checkout: Path, benchmark: str) -> Figures:
    """Run a benchmark of a checkout; return its figures and the CPU of its processes."""
    before = children_cpu_seconds()
    command = [str(python(checkout)), "-m", f"bench.{benchmark}"]
    run = subprocess.run(command, cwd=checkout, check=True, stdout=subprocess.PIPE, text=True)
    cpu_seconds = children_cpu_seconds() - before
    figures = {name: float(value) for name, value in FIGURE.findall(run.stdout)}
    return {"process_cpu_seconds": cpu_seconds, **figures}


def python(checkout: Path) -> Path:
    """Return the interpreter of a checkout; without a .venv of its own, the one that runs."""
    own = checkout.absolute() / ".venv" / "bin" / "python"
    return own if own.exists() else Path(sys.executable)


def children_cpu_seconds() -> float:
    """Return the CPU of all children that have ended, and of theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
