"""Retry budget of one cluster in one tick: how long, how often and how soon it is asked again."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import stamina

from finops_pipeline import http
from finops_pipeline.errors import ServerMalformed, ServerUnavailable

TOTAL_SECONDS = 240.0  # a tick has 480 for everything
_LONGEST_BACKOFF_SECONDS = 2.0  # between attempts, where the server does not say how long
_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 30.0

_Result = TypeVar("_Result")


@dataclass
class RetryBudget:
    """Calls that are tried again when they fail, more slowly the longer a server is in trouble.

    Args:
        until: by ``clock``, when the tick has to be done; nothing goes on after it.
        answer_seconds: longest wait for one answer.
        total_seconds: longest wait for all attempts at one question.
        attempts: most of them.
        sleep: waits some seconds.
        clock: seconds since any fixed instant.
        pause_seconds: how long the servers are left alone before the next window: doubled by each
            attempt that a server did not answer, halved by each question that it did.
    """

    until: float = math.inf
    answer_seconds: float = http.DEADLINE_SECONDS
    total_seconds: float = TOTAL_SECONDS
    attempts: int = 4
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    pause_seconds: float = 0.0
    _window_began: float | None = None
    _longest_window_seconds: float = 0.0

    def call(self, fetch: Callable[[Callable[[], float]], _Result]) -> _Result:
        """Fetch until an answer is complete and right; a body that was cut is asked for again.

        Args:
            fetch: asks and parses; is given a function that returns the seconds left for it.

        Raises:
            ServerError: of the last attempt.
        """
        end = min(self.until, self.clock() + self.total_seconds)
        retrying = stamina.RetryingCaller(
            attempts=self.attempts, timeout=None, wait_max=_LONGEST_BACKOFF_SECONDS
        )
        result = retrying(
            lambda error: self.should_retry(error, end - self.clock()),
            fetch,
            lambda: min(self.answer_seconds, end - self.clock()),
        )
        self.pause_seconds = self.pause_seconds / 2 if self.pause_seconds > 1 else 0.0
        return result

    def should_retry(self, error: Exception, seconds_left: float) -> bool | float:
        """Return whether to ask again after an error, or in how many seconds, as the server asks.

        A wait longer than what is left ends the attempts: the window stays due.
        """
        if isinstance(error, ServerUnavailable):
            doubled = max(_FIRST_PAUSE_SECONDS, 2 * self.pause_seconds)
            self.pause_seconds = min(doubled, _LONGEST_PAUSE_SECONDS)
            if error.retry_after_seconds is not None:
                wait = error.retry_after_seconds
                return wait if wait < seconds_left else False
        is_worth_it = isinstance(error, ServerUnavailable | ServerMalformed)
        return is_worth_it and seconds_left > _LONGEST_BACKOFF_SECONDS

    def wait_for_next(self) -> bool:
        """Wait until the next window may be asked for; False when the tick has no time for it."""
        now = self.clock()
        if self._window_began is not None:
            seconds = now - self._window_began
            self._longest_window_seconds = max(self._longest_window_seconds, seconds)
        if now + self.pause_seconds + self._longest_window_seconds > self.until:
            return False
        if self.pause_seconds:
            self.sleep(self.pause_seconds)
        self._window_began = self.clock()
        return True
