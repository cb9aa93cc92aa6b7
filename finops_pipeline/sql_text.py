"""Texts within statements, where no parameter is allowed."""


def sql_literal(value: object) -> str:
    """Write a text, a path or any other value that has a text form as an SQL string literal."""
    return "'" + str(value).replace("'", "''") + "'"
