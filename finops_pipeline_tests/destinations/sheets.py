"""Sheets of an Excel file, read back."""

import zipfile
from pathlib import Path
from xml.etree import ElementTree


def sheet(path: Path, number: int = 1) -> list[list[tuple[str | None, str]]]:
    """Type and text of each cell of a sheet; type None is a number."""
    space = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
    with zipfile.ZipFile(path) as file:
        root = ElementTree.fromstring(file.read(f"xl/worksheets/sheet{number}.xml"))
    return [
        [(cell.get("t"), "".join(cell.itertext())) for cell in row.iter(f"{space}c")]
        for row in root.iter(f"{space}row")
    ]
