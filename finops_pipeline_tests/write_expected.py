"""Writes what tests compare with as a whole: the asset graph and the amounts of a demo.

``python -m finops_pipeline_tests.write_expected``, when they changed on purpose; say why in the
commit.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

from finops_pipeline.definitions import defs
from finops_pipeline_tests import asset_graph, published_amounts


def main() -> None:
    """Write both files."""
    _write(asset_graph.FILE, asset_graph.lines(defs.resolve_asset_graph()))
    with TemporaryDirectory() as folder:
        _write(published_amounts.FILE, published_amounts.lines_of_demo(Path(folder)))


def _write(file: Path, lines: list[str]) -> None:
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
