"""Files of the lake: where they lie, that they last, and that damage is noticed."""

import os
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from finops_pipeline.errors import LakeError
from finops_pipeline.lake.files import Lake
from finops_pipeline.units import DAY, WINDOW

TEN = datetime(2026, 3, 1, 10, tzinfo=UTC)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def rows(window_start: datetime, *pods: str) -> pa.Table:
    return pa.table(
        {
            "window_start": pa.array([window_start] * len(pods), pa.timestamp("us", "UTC")),
            "pod": pa.array(pods, pa.string()),
        }
    )


def files_on_disk(lake: Lake) -> list[str]:
    paths = lake.root.rglob("*")
    return sorted(path.relative_to(lake.root).as_posix() for path in paths if path.is_file())


def test_one_window_lies_under_its_day_and_time(lake):
    file = lake.write("raw.asset", "prod", {TEN: rows(TEN, "a")}, {"fetched_at": "now"})

    digits = file.file_sha256[:12]
    assert file.path == f"raw.asset/window/cluster=prod/date=2026-03-01/1000-{digits}.parquet"
    assert (file.day.isoformat(), file.size_bytes) == (
        "2026-03-01",
        lake.absolute(file.path).stat().st_size,
    )
    assert lake.read(file.path, file.file_sha256).equals(rows(TEN, "a"))
    assert lake.facts(file.path) == {"fetched_at": "now"}
    assert files_on_disk(lake) == list(lake.paths()) == [file.path]


def test_windows_of_a_day_share_a_file_in_order_of_time(lake):
    later = TEN + WINDOW
    file = lake.write("raw.asset", "prod", {later: rows(later, "b"), TEN: rows(TEN, "a")}, {})

    digits = file.file_sha256[:12]
    assert file.path == f"raw.asset/day/cluster=prod/date=2026-03-01/{digits}.parquet"
    assert lake.read(file.path)["pod"].to_pylist() == ["a", "b"]


def test_a_window_without_rows_is_a_file(lake):
    file = lake.write("raw.asset", "prod", {TEN: rows(TEN)}, {})

    assert lake.read(file.path).equals(rows(TEN))


def test_a_cluster_may_have_any_name(lake):
    file = lake.write("raw.asset", "../eu west/ü", {TEN: rows(TEN)}, {})

    assert "cluster=..%2Feu%20west%2F%C3%BC/" in file.path
    assert list(lake.paths()) == [file.path]


def test_a_file_holds_windows_of_one_day(lake):
    with pytest.raises(ValueError, match="one UTC day"):
        lake.write("raw.asset", "prod", {TEN: rows(TEN), TEN + DAY: rows(TEN + DAY)}, {})
    with pytest.raises(ValueError, match="one UTC day"):
        lake.write("raw.asset", "prod", {}, {})


def test_other_content_is_another_file(lake):
    first = lake.write("raw.asset", "prod", {TEN: rows(TEN, "a")}, {})
    second = lake.write("raw.asset", "prod", {TEN: rows(TEN, "b")}, {})

    assert files_on_disk(lake) == sorted([first.path, second.path])


def test_a_write_that_fails_leaves_nothing(lake):
    file = lake.write("raw.asset", "prod", {TEN: rows(TEN, "a")}, {})
    lake.absolute(file.path).unlink()
    lake.absolute(file.path).mkdir()  # a folder in its place: the rename fails

    with pytest.raises(OSError, match=r"\.parquet"):
        lake.write("raw.asset", "prod", {TEN: rows(TEN, "a")}, {})
    assert files_on_disk(lake) == []


def test_every_flipped_byte_and_every_cut_is_noticed(lake):
    chance = random.Random(7)
    file = lake.write("raw.asset", "prod", {TEN: rows(TEN, *"abcdefgh")}, {})
    body = lake.absolute(file.path).read_bytes()

    for _ in range(50):
        place = chance.randrange(len(body))
        flipped = bytearray(body)
        flipped[place] ^= 1 << chance.randrange(8)
        for damaged in (bytes(flipped), body[:place]):
            lake.absolute(file.path).write_bytes(damaged)
            with pytest.raises(LakeError, match="is damaged: its SHA-256 is"):
                lake.read(file.path, file.file_sha256)
            with pytest.raises(LakeError, match="is damaged"):
                lake.verify(file.path, file.file_sha256)


def test_a_file_that_cannot_be_read_is_named(lake):
    file = lake.write("raw.asset", "prod", {TEN: rows(TEN, "a")}, {})
    lake.absolute(file.path).write_bytes(b"PAR1")
    with pytest.raises(LakeError, match=f"{file.path} cannot be read"):
        lake.read(file.path)

    lake.remove([file.path, file.path])
    for read in (lake.read, lake.facts):
        with pytest.raises(LakeError, match=f"{file.path} is missing from the lake"):
            read(file.path)


def test_only_old_files_that_the_ledger_does_not_name_are_swept(lake):
    current, forgotten = (
        lake.write("raw.asset", "prod", {TEN: rows(TEN, pod)}, {}).path for pod in "ab"
    )
    torn = lake.absolute(forgotten).with_suffix(".parquet.1234.tmp")
    torn.touch()
    for path in (lake.absolute(current), lake.absolute(forgotten), torn):
        os.utime(path, (TEN.timestamp(), TEN.timestamp()))
    young = lake.write("raw.asset", "prod", {TEN: rows(TEN, "c")}, {}).path

    swept = lake.sweep({current}, TEN + timedelta(seconds=1))

    assert swept == sorted([forgotten, torn.relative_to(lake.root).as_posix()])
    assert files_on_disk(lake) == sorted([current, young])
