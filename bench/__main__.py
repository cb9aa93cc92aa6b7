"""Runs every ``bench_*.py`` in a process of its own, so that none warms up the next."""

import subprocess
import sys
from pathlib import Path

for path in sorted(Path(__file__).parent.glob("bench_*.py")):
    subprocess.run([sys.executable, "-m", f"bench.{path.stem}"], check=True)
