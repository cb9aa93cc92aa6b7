"""Reads what a chart draws: its texts and its lines."""

from xml.etree import ElementTree

_SVG = "{http://www.w3.org/2000/svg}"


def texts(svg: str) -> list[str | None]:
    """Return the texts of a chart, in the order in which they are drawn."""
    return [text.text for text in ElementTree.fromstring(svg).iter(f"{_SVG}text")]


def lines(svg: str) -> list[str]:
    """Return the path of each line, without the axes."""
    return [path.attrib["d"] for path in ElementTree.fromstring(svg).iter(f"{_SVG}path")][1:]
