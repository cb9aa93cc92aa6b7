"""Texts within statements, where no parameter is allowed."""


def quoted(text: object) -> str:
    """A text, a path or anything else that is written as one, as SQL writes it."""
    return "'" + str(text).replace("'", "''") + "'"
