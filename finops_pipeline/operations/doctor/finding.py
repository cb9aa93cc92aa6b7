"""A finding of the doctor, and the statuses it can have."""

from dataclasses import dataclass

OK, WARNING, FAILED, UNKNOWN = "ok", "warning", "failed", "unknown"


@dataclass(frozen=True)
class Finding:
    """The state of a thing that was looked at.

    Args:
        subject: the cluster, or ``installation``.
        check: what was looked at; docs/troubleshooting.md lists all.
        status: ``ok``, ``warning``, ``failed``; or ``unknown``: nothing says how it is.
        message: what was seen.
        fix: what to do about it; empty when nothing.
    """

    subject: str
    check: str
    status: str
    message: str
    fix: str = ""
