import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finops_pipeline.simulation import noise

KEYS = np.arange(1000, dtype=np.uint64)
STEPS = st.integers(min_value=0, max_value=2**40)


def test_mix_is_splitmix64():
    # First outputs of the reference implementation seeded with 0.
    golden = 0x9E3779B97F4A7C15
    assert [noise.mix(0), noise.mix(golden)] == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4]


@given(STEPS)
def test_numbers_do_not_depend_on_what_was_asked_before_or_with_them(step):
    alone = [noise.uniform(KEYS[i : i + 1], step)[0] for i in (0, 17, 999)]

    noise.uniform(KEYS, step + 1)

    assert alone == noise.uniform(KEYS, step)[[0, 17, 999]].tolist()


@given(STEPS)
def test_numbers_fill_their_range_evenly(step):
    numbers = noise.uniform(KEYS, step)

    assert 0 <= numbers.min() < 0.05
    assert 0.95 < numbers.max() < 1
    assert numbers.mean() == pytest.approx(0.5, abs=0.06)
    assert abs(noise.bell(KEYS, step)).max() < 1


def test_vectorised_and_single_mixing_agree():
    # Two implementations of one function: one for names, one for arrays.
    expected = noise.mix(5 ^ noise.mix(3)) >> 11

    assert noise.uniform(np.array([5], dtype=np.uint64), 3)[0] == expected * 2.0**-53


def test_keys_tell_parts_apart():
    keys = {noise.key("ab", "c"), noise.key("a", "bc"), noise.key("abc"), noise.key(1, "a")}

    assert len(keys) == 4
