"""Noise that is a pure function of (key, step): any window can be computed alone, in any order."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

_MASK: Final = 2**64 - 1
# The constants of splitmix64 (Steele, Lea, Flood 2014): full avalanche in three multiplications.
_GOLDEN: Final = 0x9E3779B97F4A7C15
_MIX_1: Final = 0xBF58476D1CE4E5B9
_MIX_2: Final = 0x94D049BB133111EB
# Consonants and digits that Kubernetes uses for generated names, so that they spell no words.
_ALPHABET: Final = "bcdfghjklmnpqrstvwxz2456789"


def mix(value: int) -> int:
    """Mix 64 bits by one step of splitmix64: each output bit depends on each input bit."""
    z = (value + _GOLDEN) & _MASK
    z = ((z ^ (z >> 30)) * _MIX_1) & _MASK
    z = ((z ^ (z >> 27)) * _MIX_2) & _MASK
    return z ^ (z >> 31)


def key(*parts: int | str) -> int:
    """Return a 64-bit key of any names and numbers, the same in every process."""
    state = 0
    for part in parts:
        if isinstance(part, int):
            state = mix(state ^ (part & _MASK))
        else:
            for byte in part.encode():
                state = mix(state ^ byte)
            state = mix(state ^ len(part))
    return state


def below(limit: int, *parts: int | str) -> int:
    """Return a whole number in ``[0, limit)``."""
    return key(*parts) % limit


def name(length: int, *parts: int | str) -> str:
    """Return a suffix as Kubernetes generates them, such as ``x7k2d``."""
    state, letters = key(*parts), []
    for _ in range(length):
        state, letter = divmod(state, len(_ALPHABET))
        letters.append(_ALPHABET[letter])
    return "".join(letters)


def hexadecimal(length: int, *parts: int | str) -> str:
    """Return an identifier of up to 32 hexadecimal digits."""
    return f"{key(*parts):016x}{key('more', *parts):016x}"[:length]


def uniform(keys: NDArray[np.uint64], step: int) -> NDArray[np.float64]:
    """Return numbers in ``[0, 1)``, one per key, for one step of time.

    Args:
        keys: shape (series,), one key per series.
        step: number of the step, such as the count of quarter hours since 1970.
    """
    z = keys ^ np.uint64(mix(step))
    z = z + np.uint64(_GOLDEN)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(_MIX_1)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(_MIX_2)
    z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(11)).astype(np.float64) * 2.0**-53


def bell(keys: NDArray[np.uint64], step: int) -> NDArray[np.float64]:
    """Return numbers in ``(-1, 1)``, mostly near 0: the mean of two uniform ones, centred."""
    return uniform(keys, step) + uniform(keys, ~step) - 1.0
