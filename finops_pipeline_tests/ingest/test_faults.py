"""Answers over HTTP end in the ledger as the right ones or as one reason, and heal.

Every third kind of fault at one place here, each at every place in `make faults`.
"""

from collections.abc import Iterator

import pytest

from finops_pipeline_tests.faults import HUGE, KINDS, PLACES
from finops_pipeline_tests.installation.trials import MOST_OVERRUN_SECONDS, Ward, ward

TURNS = [
    (kind, list(PLACES)[number // 3 % len(PLACES)])
    for number, kind in enumerate(KINDS)
    if number % 3 == 0 and kind not in HUGE
]


@pytest.fixture(scope="module")
def patient(tmp_path_factory) -> Iterator[Ward]:
    with ward(tmp_path_factory.mktemp("ward")) as ward_of_all:
        yield ward_of_all


@pytest.mark.parametrize(("kind", "place"), TURNS, ids=[f"{k} at {p}" for k, p in TURNS])
def test_a_fault_does_no_harm(patient: Ward, kind: str, place: str):
    verdict = patient.endure(kind, place)

    assert verdict.mistakes == []
    assert verdict.overrun_seconds <= MOST_OVERRUN_SECONDS


def test_kinds_and_places_are_many():
    assert len(KINDS) * len(PLACES) >= 200
