"""What a year of bad networks and broken servers would do, in minutes: `make faults`.

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

from bench.figures import tell
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
    """Print one line per figure, and what was found before it."""
    stamina.instrumentation.set_on_retry_hooks([])  # what is asked again is no news here
    with stamina.set_testing(True, attempts=4, cap=True):
        faults()
        malformed()
    tell("faults_peak_memory_ratio", max(map(memory_ratio, HUGE)), MOST_MEMORY_RATIO)


def faults() -> None:
    """Each fault, from the source to the ledger."""
    with TemporaryDirectory() as folder, ward(Path(folder)) as patient:
        done = {case: in_future(partial(patient.endure, *case)) for case in CASES}
    verdicts = {case: one.result() for case, one in done.items() if not one.exception()}
    for case, verdict in verdicts.items():
        for mistake in verdict.mistakes:
            print(f"{' at '.join(case)}: {mistake}")
    print(f"{len(KINDS)} kinds of faults at {len(PLACES)} places")
    tell("faults_not_tried", max(0, FEWEST_CASES - len(done)), 0)
    tell("faults_silently_wrong", sum(it.is_silent for it in verdicts.values()), 0)
    tell("faults_with_mistakes", sum(bool(it.mistakes) for it in verdicts.values()), 0)
    for error in filter(None, (one.exception() for one in done.values())):
        print(repr(error))
    tell("faults_other_exceptions", len(done) - len(verdicts), 0)
    overrun = max(it.overrun_seconds for it in verdicts.values())
    tell("faults_deadline_overrun_seconds", overrun, MOST_OVERRUN_SECONDS)


def malformed() -> None:
    """A thousand bodies of each question."""
    for name, question in questions().items():
        done = [in_future(partial(judged, question, seed)) for seed in range(BODIES)]
        wrong = [mistake for one in done if not one.exception() for mistake in one.result()]
        for shown in (*wrong[:9], *filter(None, (one.exception() for one in done))):
            print(repr(shown))
        tell(f"malformed_{name}_silently_wrong", len(wrong), 0)
        tell(f"malformed_{name}_other_exceptions", sum(bool(it.exception()) for it in done), 0)


def judged(question: Question, seed: int) -> list[str]:
    """What is wrong with what becomes of one body."""
    return [f"seed {seed}: {it}" for it in question.mistakes(mutated(question.body, Random(seed)))]


def in_future(work: Callable[[], Any]) -> Future[Any]:
    """What came of it, whatever was raised."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(work)


def memory_ratio(kind: str) -> float:
    """How far a process that reads something huge grows, over the cap of a body."""
    end = DAY + timedelta(days=1)
    with faulty_server(DAY.date(), "alpha", lambda: end) as server:
        rest = peak_bytes(server.url)
        with server.faulty("allocation", kind):
            return (peak_bytes(server.url) - rest) / http.MAX_BYTES


def peak_bytes(url: str) -> int:
    """Largest resident size of a process that reads one window from an origin."""
    command = [sys.executable, "-m", "bench.faults", url]
    return int(subprocess.run(command, check=True, capture_output=True).stdout)


@contextmanager
def refusable() -> Iterator[None]:
    """A refusal is as good as an answer here."""
    try:
        yield
    except ServerError as error:
        print(error, file=sys.stderr)


def read_and_tell_peak(url: str) -> None:
    """Print this process's own peak; ``ru_maxrss`` would hold that of the parent as well."""
    with http.client(f"{url}/opencost") as client, refusable():
        opencost.read_window(client, "alpha", DAY, DAY, RetryBudget(attempts=1))
    status = Path("/proc/self/status").read_text().splitlines()
    (peak,) = (line.split()[1] for line in status if line.startswith("VmHWM:"))
    print(int(peak) * 1024)


if __name__ == "__main__":
    if sys.argv[1:]:
        read_and_tell_peak(sys.argv[1])
    else:
        main()
