"""A small line chart as SVG in Markdown: made by hand, its colours seen on white and on black."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

Values = Sequence[float | None]

_WIDTH, _HEIGHT = 420, 130
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 412, 22, 110  # of the area between the axes
_GREY = "#808080"
_COLOURS = ("#2f81f7", "#e0703a", "#3aa675")
_START = (
    f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}"'
    f' font-family="sans-serif" font-size="11" fill="{_GREY}">'
)


@dataclass(frozen=True)
class Chart:
    """Lines over the same slots of time, on one scale that starts at 0."""

    unit: str  # of all values
    first: str  # the first slot, as text
    last: str
    lines: dict[str, Values]  # by name; None is unknown and leaves a gap

    def markdown(self) -> str:
        """Return the picture as an image of Markdown that holds itself."""
        encoded = b64encode(self.svg().encode()).decode()
        return f"![{', '.join(self.lines)}](data:image/svg+xml;base64,{encoded})"

    def svg(self) -> str:
        """Draw axes with their ends labelled, and a line and a name per entry."""
        values = [value for line in self.lines.values() for value in line if value is not None]
        low, high = min([0.0, *values]), max([0.0, *values])
        coloured = zip(self.lines.items(), _COLOURS, strict=False)
        parts = [
            part
            for number, ((name, line), colour) in enumerate(coloured)
            for part in (_legend(number, name, colour), _line(line, low, high, colour))
        ]
        return "".join([_START, *self._axes(low, high), *parts, "</svg>"])

    def _axes(self, low: float, high: float) -> list[str]:
        frame = f"M{_LEFT} {_TOP}V{_BOTTOM}H{_RIGHT}"
        return [
            f'<path d="{frame}" fill="none" stroke="{_GREY}"/>',
            _text(_LEFT - 4, _TOP + 8, _short(high), "end"),
            _text(_LEFT - 4, _BOTTOM, _short(low), "end"),
            _text(_LEFT - 4, (_TOP + _BOTTOM) // 2 + 6, self.unit, "end"),
            _text(_LEFT, _HEIGHT - 5, self.first, "start"),
            _text(_RIGHT, _HEIGHT - 5, self.last, "end"),
        ]


def _legend(number: int, name: str, colour: str) -> str:
    return _text(_LEFT + number * 120, 12, name, "start", colour)


def _text(x: int, y: int, text: str, anchor: str, colour: str = _GREY) -> str:
    place = f'x="{x}" y="{y}" text-anchor="{anchor}" fill="{colour}"'
    return f"<text {place}>{escape(text)}</text>"


def _line(values: Values, low: float, high: float, colour: str) -> str:
    """Draw values as a path; one that stands alone is a dot."""
    step = (_RIGHT - _LEFT) / max(1, len(values) - 1)
    height = (_BOTTOM - _TOP) / ((high - low) or 1)
    path, is_drawing = "", False
    for number, value in enumerate(values):
        if value is not None:
            x, y = _LEFT + number * step, _BOTTOM - (value - low) * height
            path += f"{'L' if is_drawing else 'M'}{x:.0f} {y:.1f}{'' if is_drawing else 'h0'}"
        is_drawing = value is not None
    shape = 'fill="none" stroke-width="2" stroke-linecap="round"'
    return f'<path d="{path}" stroke="{colour}" {shape}/>'


def _short(value: float) -> str:
    """Format a number with three digits: 1234567 -> 1.23M."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"
