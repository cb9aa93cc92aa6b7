"""Retry budget: how long, how often and how soon again, on a clock that only sleeping moves."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finops_pipeline.errors import ServerMalformed, ServerRejected, ServerUnavailable
from finops_pipeline.sources.retry import RetryBudget

BUSY = ServerUnavailable("503", 7.0)
DOWN = ServerUnavailable("502")
CUT = ServerMalformed("cut")
WRONG = ServerRejected("404")


@dataclass
class Time:
    """Passes when a test sleeps or works."""

    now: float = 100.0
    slept: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def budget(self, **limits: float) -> RetryBudget:
        return RetryBudget(**limits, sleep=self.sleep, clock=lambda: self.now)  # type: ignore[arg-type]


def failing(*errors: Exception, asked: list[float]) -> Callable[[Callable[[], float]], str]:
    left = list(errors)

    def ask(seconds_left: Callable[[], float]) -> str:
        asked.append(seconds_left())
        if left:
            raise left.pop(0)
        return "answer"

    return ask


@pytest.mark.parametrize(
    ("error", "seconds_left", "expected"),
    [
        (BUSY, 60, 7.0),
        (BUSY, 8, 7.0),
        (BUSY, 7, False),  # nothing would be left to answer in
        (ServerUnavailable("429", 0.0), 60, 0.0),
        (ServerUnavailable("429", math.inf), 60, False),
        (DOWN, 60, True),
        (DOWN, 2, False),  # its backoff may take those
        (CUT, 60, True),
        (CUT, -1, False),
        (WRONG, 60, False),
        (ValueError("a mistake"), 60, False),
    ],
)
def test_whether_and_when_to_ask_again(
    error: Exception, seconds_left: float, expected: bool | float
):
    found = RetryBudget().should_retry(error, seconds_left)

    assert (type(found), found) == (type(expected), expected)


@pytest.mark.parametrize(
    ("errors", "attempts"),
    [([], 1), ([DOWN], 2), ([CUT, DOWN, CUT], 4), ([BUSY], 2)],
)
def test_asks_until_there_is_an_answer(errors: list[Exception], attempts: int):
    asked: list[float] = []

    assert RetryBudget().call(failing(*errors, asked=asked)) == "answer"
    assert len(asked) == attempts


@pytest.mark.parametrize(
    ("errors", "attempts"),
    [
        ([DOWN] * 9, 4),
        ([CUT] * 9, 4),
        ([WRONG], 1),
        ([ServerUnavailable("429", 3600.0)], 1),
        ([ValueError()], 1),
    ],
)
def test_gives_up_with_the_last_error(errors: list[Exception], attempts: int):
    asked: list[float] = []

    with pytest.raises(type(errors[0])):
        RetryBudget().call(failing(*errors, asked=asked))
    assert len(asked) == attempts


@pytest.mark.parametrize(
    ("limits", "seconds"),
    [
        ({}, 180),
        ({"answer_seconds": 3}, 3),
        ({"total_seconds": 20}, 20),
        ({"until": 110}, 10),  # the clock begins at 100
    ],
)
def test_an_answer_has_the_least_time_that_anything_leaves(
    limits: dict[str, float], seconds: float
):
    asked: list[float] = []

    Time().budget(**limits).call(failing(asked=asked))

    assert asked == [seconds]


def test_troubled_servers_are_asked_more_slowly_and_faster_again():
    time, asked = Time(), list[float]()
    budget = time.budget()
    pauses = []
    for errors in ([], [DOWN], [DOWN, BUSY], [CUT], [], [], []):
        budget.call(failing(*errors, asked=asked))
        assert budget.wait_for_next()
        pauses.append(budget.pause_seconds)

    # One failure makes a second, and the success after it nothing; two make two seconds and one.
    assert pauses == [0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]
    assert time.slept == [1.0]


@given(st.lists(st.sampled_from([[], [DOWN], [DOWN] * 3, [BUSY] * 2, [CUT] * 3]), max_size=40))
def test_pauses_stay_bounded_and_end_with_the_trouble(history: list[list[Exception]]):
    budget, asked = Time().budget(), list[float]()

    for errors in history:
        budget.call(failing(*errors, asked=asked))
        assert 0 <= budget.pause_seconds <= 30
    for _ in range(6):
        budget.call(failing(asked=asked))

    assert budget.pause_seconds == 0


def test_no_window_is_begun_that_the_tick_has_no_time_for():
    time = Time()
    budget = time.budget(until=time.now + 100)
    begun = 0
    while budget.wait_for_next():
        begun += 1
        time.now += 30

    assert begun == 3  # the fourth would end after 120 s
    assert time.now <= budget.until


def test_a_pause_longer_than_the_tick_ends_it():
    time = Time()
    budget = time.budget(until=time.now + 10)
    budget.pause_seconds = 11

    assert not budget.wait_for_next()
    assert time.slept == []
