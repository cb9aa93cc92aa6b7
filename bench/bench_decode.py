"""CPU and memory from the bytes of an OpenCost answer to a Parquet file on disk.

The CPU is a ratio to ``json.loads`` on the same bytes, taken in turns: a slow machine slows both.
"""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.figures import print_figure
from finops_pipeline.lake.content_hash import content_sha256
from finops_pipeline.lake.files import Lake
from finops_pipeline.sources import opencost
from finops_pipeline_tests.servers import ANSWERS, body

LARGE = ANSWERS / "opencost" / "large" / "alloc_15m_1.json.gz"  # 3,000 containers, 5.9 MB
START = datetime(2026, 11, 23, 23, tzinfo=UTC)
ROUNDS = 31
MOST_CPU_RATIO = 0.7
MOST_MEBIBYTES = 300
ROWS = 10_000


def main() -> None:
    """Print one line per figure."""
    with TemporaryDirectory() as folder:
        print_figure("decode_cpu_ratio", cpu_ratio(body(LARGE), Path(folder)), MOST_CPU_RATIO)
        print_figure("decode_10000_rows_peak_mib", peak_mebibytes(Path(folder)), MOST_MEBIBYTES)


def cpu_ratio(answer: bytes, folder: Path) -> float:
    """Return CPU of bytes to a file over that of ``json.loads`` just after; the median round."""
    ratios = [
        cpu_seconds(lambda: store(answer, folder)) / cpu_seconds(lambda: json.loads(answer))
        for _ in range(ROUNDS)
    ]
    return statistics.median(ratios[1:])  # the first warms up both


def cpu_seconds(work: Callable[[], object]) -> float:
    """Return the CPU that some work takes of this process."""
    start = time.process_time()
    work()
    return time.process_time() - start


def store(answer: bytes, folder: Path) -> None:
    """Store an answer as a reading is: decode, check, sort, hash, write."""
    rows = opencost.parse_allocations(answer, "bench", START)
    facts = {"content_sha256": content_sha256(rows)}
    Lake(folder).write("raw.allocation", "bench", {START: rows}, facts)


def peak_mebibytes(folder: Path) -> float:
    """Return the largest resident size of a process that stores many rows, with its imports."""
    answer = folder / "answer.json"
    answer.write_bytes(many_rows(body(LARGE), ROWS))
    command = [sys.executable, "-m", "bench.bench_decode", str(answer), str(folder)]
    return float(subprocess.run(command, check=True, capture_output=True).stdout)


def many_rows(answer: bytes, count: int) -> bytes:
    """Return the recorded rows again and again under new names, ``count`` in all."""
    document = json.loads(answer)
    rows = list(document["data"][0].values())
    document["data"][0] = {
        f"{row['name']}-{number:06}": {**row, "name": f"{row['name']}-{number:06}"}
        for number, row in ((number, rows[number % len(rows)]) for number in range(count))
    }
    return json.dumps(document, separators=(",", ":")).encode()


def store_and_print_peak(answer: Path, folder: Path) -> None:
    """Print this process's own peak; ``ru_maxrss`` would hold that of the parent as well."""
    store(answer.read_bytes(), folder)
    status = Path("/proc/self/status").read_text().splitlines()
    (peak,) = (line.split()[1] for line in status if line.startswith("VmHWM:"))
    print(int(peak) / 1024)


if __name__ == "__main__":
    if sys.argv[1:]:
        store_and_print_peak(*map(Path, sys.argv[1:]))
    else:
        main()
