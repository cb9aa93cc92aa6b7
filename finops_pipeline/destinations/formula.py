"""Text that a spreadsheet would take for a formula."""

_BEGINNINGS = ("=", "+", "-", "@", "\t", "\r")


def no_formula(text: str) -> str:
    """The text, with an apostrophe before it where a spreadsheet would compute it.

    Names and labels come from whoever may deploy; spreadsheets look behind blanks, too.
    """
    is_formula = text.startswith(_BEGINNINGS) or text.lstrip().startswith(_BEGINNINGS)
    return f"'{text}" if is_formula else text
