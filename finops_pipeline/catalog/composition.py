"""Puts named selects in front of a select that reads them as ``part.<name>``."""

import re
from collections.abc import Mapping

_PART = re.compile(r"\b(?P<clause>(?:from|join)\s+)part\.(?P<name>[a-z_0-9]+)", re.IGNORECASE)
_COMMENT = re.compile(r"--.*")
_COMMENTS = re.compile(r"\A(?:\s|--.*\n)*")  # before the first word of a select
_WITH = re.compile(r"\Awith\s", re.IGNORECASE)
_END = re.compile(r";\s*(?:--.*\s*)*\Z")


def part_names(query: str) -> list[str]:
    """List the parts that a select reads, in the order in which it names them first."""
    names = (match["name"] for match in _PART.finditer(_COMMENT.sub("", query)))
    return list(dict.fromkeys(names))


def compose(query: str, parts: Mapping[str, str]) -> str:
    """Return a select that holds its parts as common table expressions, in their order.

    Args:
        query: the select; it reads a part as ``part.<name>``.
        parts: select of each part, after those of the parts that it reads.
    """
    if not parts:
        return query
    expressions = ",\n".join(f"{name} as (\n{_body(part)}\n)" for name, part in parts.items())
    own = _without_schema(query)
    comments = _COMMENTS.match(own)
    opening = comments.group() if comments else ""
    select = own.removeprefix(opening)
    rest = _WITH.sub(",\n", select) if _WITH.match(select) else f"\n{select}"
    return f"{opening}with {expressions}{rest}"


def _body(part: str) -> str:
    return _without_schema(_END.sub("", _COMMENTS.sub("", part)).rstrip())


def _without_schema(query: str) -> str:
    return _PART.sub(r"\g<clause>\g<name>", query)
