"""A year of bad networks and broken servers, in minutes: `make faults`.

Every kind of fault at every place; a thousand malformed bodies of each question; and the memory of
a process that reads the largest of them.
"""

import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import stamina

from bench.figures import print_figure
from finops_pipeline import http
from finops_pipeline.errors import ServerError
from finops_pipeline.sources import opencost
from finops_pipeline.sources.retry import RetryBudget
from finops_pipeline_tests.faults import HUGE, KINDS, PLACES, faulty_server
from finops_pipeline_tests.installation.homes import DAY
from finops_pipeline_tests.installation.trials import CASES, MOST_OVERRUN_SECONDS, ward
from finops_pipeline_tests.sources.malformed import Question, mutated, questions

BODIES = 1_000
FEWEST_CASES = 200
MOST_MEMORY_RATIO = 2.0  # a body and its copy


def main() -> None:
    """Print one line per figure, and before it each mistake."""
    stamina.instrumentation.set_on_retry_hooks([])  # a retry is no news here
    with stamina.set_testing(True, attempts=4, cap=True):
        faults()
        malformed()
    print_figure("faults_peak_memory_ratio", max(map(memory_ratio, HUGE)), MOST_MEMORY_RATIO)


def faults() -> None:
    """Try each fault, from the source to the ledger."""
    with TemporaryDirectory() as folder, ward(Path(folder)) as server_ward:
        futures = {case: run_to_end(partial(server_ward.endure, *case)) for case in CASES}
    verdicts = {case: f.result() for case, f in futures.items() if not f.exception()}
    for case, verdict in verdicts.items():
        for mistake in verdict.mistakes:
            print(f"{' at '.join(case)}: {mistake}")
    print(f"{len(KINDS)} kinds of faults at {len(PLACES)} places")
    print_figure("faults_not_tried", max(0, FEWEST_CASES - len(futures)), 0)
    print_figure(
        "faults_silently_wrong", sum(verdict.is_silent for verdict in verdicts.values()), 0
    )
    print_figure(
        "faults_with_mistakes", sum(bool(verdict.mistakes) for verdict in verdicts.values()), 0
    )
    for error in filter(None, (future.exception() for future in futures.values())):
        print(repr(error))
    print_figure("faults_other_exceptions", len(futures) - len(verdicts), 0)
    overrun = max(verdict.overrun_seconds for verdict in verdicts.values())
    print_figure("faults_deadline_overrun_seconds", overrun, MOST_OVERRUN_SECONDS)


def malformed() -> None:
    """Try a thousand bodies of each question."""
    for name, question in questions().items():
        futures = [run_to_end(partial(mistakes, question, seed)) for seed in range(BODIES)]
        errors = [error for future in futures if (error := future.exception())]
        wrong = [text for future in futures if not future.exception() for text in future.result()]
        for problem in (*wrong[:9], *errors):
            print(repr(problem))
        print_figure(f"malformed_{name}_silently_wrong", len(wrong), 0)
        print_figure(f"malformed_{name}_other_exceptions", len(errors), 0)


def mistakes(question: Question, seed: int) -> list[str]:
    """Return what is wrong with what becomes of one body."""
    body = mutated(question.body, Random(seed))
    return [f"seed {seed}: {mistake}" for mistake in question.mistakes(body)]


def run_to_end(work: Callable[[], Any]) -> Future[Any]:
    """Run work; return its result or the error that it raised, of any kind."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(work)


def memory_ratio(kind: str) -> float:
    """Return how far a process that reads something huge grows, over the cap of a body."""
    end = DAY + timedelta(days=1)
    with faulty_server(DAY.date(), "alpha", lambda: end) as server:
        rest = peak_bytes(server.url)
        with server.faulty("allocation", kind):
            return (peak_bytes(server.url) - rest) / http.MAX_BYTES


def peak_bytes(url: str) -> int:
    """Return the largest resident size of a process that reads one window from an origin."""
    command = [sys.executable, "-m", "bench.faults", url]
    return int(subprocess.run(command, check=True, capture_output=True).stdout)


@contextmanager
def refusals_printed() -> Iterator[None]:
    """Print a refusal and go on: it is as good as an answer here."""
    try:
        yield
    except ServerError as error:
        print(error, file=sys.stderr)


def read_and_print_peak(url: str) -> None:
    """Print this process's own peak; ``ru_maxrss`` would hold that of the parent as well."""
    with http.client(f"{url}/opencost") as client, refusals_printed():
        opencost.read_window(client, "alpha", DAY, DAY, RetryBudget(attempts=1))
    status = Path("/proc/self/status").read_text().splitlines()
    (peak,) = (line.split()[1] for line in status if line.startswith("VmHWM:"))
    print(int(peak) * 1024)


if __name__ == "__main__":
    if sys.argv[1:]:
        read_and_print_peak(sys.argv[1])
    else:
        main()
