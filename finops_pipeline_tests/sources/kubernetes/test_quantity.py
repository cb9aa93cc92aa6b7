from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finops_pipeline.sources.kubernetes.quantity import parse_quantity

DECIMAL = {"n": 10**-9, "u": 10**-6, "m": 10**-3, "": 1, "k": 10**3, "M": 10**6, "G": 10**9}
EXACT = {suffix: Fraction(str(factor)) for suffix, factor in DECIMAL.items()}


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("500m", 0.5),
        ("0.5", 0.5),
        ("1Gi", 2**30),
        ("15693Mi", 15693 * 2**20),
        ("1e3", 1000),
        ("1E3", 1000),
        ("1E", 10**18),
        ("12e-1", 1.2),
        ("100n", 1e-7),
        (".5", 0.5),
        ("5.", 5),
        ("+1k", 1000),
    ],
)
def test_quantities_as_the_api_writes_them(written, meant):
    assert parse_quantity(written) == meant


@pytest.mark.parametrize(
    "text",
    ["", "m", "-1", "1 Gi", "1KI", "1K", "1e", "1e999", "1.2.3", "0x1", "NaN", "٣", "1" * 41],
)
def test_what_is_no_quantity_is_refused(text):
    with pytest.raises(ValueError, match="not a quantity"):
        parse_quantity(text)


@given(st.integers(0, 10**15), st.sampled_from(sorted(EXACT)))
def test_a_decimal_suffix_is_the_nearest_double_of_the_exact_product(number, suffix):
    assert parse_quantity(f"{number}{suffix}") == float(number * EXACT[suffix])


@given(st.integers(0, 10**9), st.sampled_from(["Ki", "Mi", "Gi", "Ti"]))
def test_a_binary_suffix_multiplies_by_1024(number, suffix):
    power = ["Ki", "Mi", "Gi", "Ti"].index(suffix) + 1

    assert parse_quantity(f"{number}{suffix}") == number * 1024**power


@given(st.integers(0, 10**6), st.integers(-9, 18))
def test_an_exponent_is_a_power_of_ten(number, exponent):
    assert parse_quantity(f"{number}e{exponent}") == float(number * Fraction(10) ** exponent)


@given(st.text(max_size=12))
def test_any_other_text_is_a_number_or_refused(text):
    try:
        assert parse_quantity(text) >= 0
    except ValueError as error:
        assert "not a quantity" in str(error)  # noqa: PT017  # both are right answers
