"""Text that a spreadsheet would take for a formula."""

_BEGINNINGS = ("=", "+", "-", "@", "\t", "\r")


def escape_formula(text: str) -> str:
    """Return the text, with an apostrophe before it where a spreadsheet would compute it.

    Names and labels come from all who may deploy; spreadsheets look behind blanks, too.
    """
    is_formula = text.startswith(_BEGINNINGS) or text.lstrip().startswith(_BEGINNINGS)
    return f"'{text}" if is_formula else text
