"""Quantities as Kubernetes writes them: ``500m``, ``1Gi``, ``1e3``."""

import re
from fractions import Fraction
from functools import lru_cache

# Decimal suffixes are powers of 1000, binary ones of 1024.
_POWERS = {"n": -3, "u": -2, "m": -1, "": 0, "k": 1, "M": 2, "G": 3, "T": 4, "P": 5, "E": 6}
_UNITS = {suffix: Fraction(1000) ** power for suffix, power in _POWERS.items()} | {
    f"{suffix}i": Fraction(1024) ** (power + 1) for power, suffix in enumerate("KMGTPE")
}
# No quantity of a cluster is negative, and the API writes none with more digits.
_FORM = re.compile(
    r"\+?(?P<number>\d{1,40}(?:\.\d{0,40})?|\.\d{1,40})"
    r"(?:(?P<unit>[KMGTPE]i|[numkMGTPE]?)|[eE](?P<exponent>[+-]?\d{1,2}))",
    re.ASCII,
)


@lru_cache(maxsize=4096)  # a cluster repeats a few hundred of them in thousands of containers
def parse_quantity(quantity: str) -> float:
    """Parse cores of a CPU quantity, bytes of memory or storage, a count of anything else.

    Returns:
        The double nearest to the exact value.

    Raises:
        ValueError: not a quantity.

    Source: kubernetes/apimachinery, pkg/api/resource/quantity.go.
    """
    parts = _FORM.fullmatch(quantity)
    if not parts:
        raise ValueError(f"not a quantity: {quantity[:50]!r}")
    if parts["exponent"]:
        return float(Fraction(f"{parts['number']}e{parts['exponent']}"))
    return float(Fraction(parts["number"]) * _UNITS[parts["unit"]])
