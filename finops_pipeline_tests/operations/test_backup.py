"""A backup is whole while ticks go on, grows by what is new, and becomes what it was."""

import shutil
import threading
from datetime import datetime
from pathlib import Path

import pytest

from finops_pipeline import settings as configuration
from finops_pipeline.errors import LakeDamaged, StateError
from finops_pipeline.installation.recording import record
from finops_pipeline.operations.backup import CopyCounts, back_up, restore
from finops_pipeline.operations.compaction import compact
from finops_pipeline.settings import Settings
from finops_pipeline.units import HOUR, WINDOW
from finops_pipeline_tests.installation.readings import (
    MIDNIGHT,
    MUCH_LATER,
    SOON,
    TABLE,
    current_content,
    ledger_rows,
    quarters,
    reading,
)
from finops_pipeline_tests.operations.ledgers import open_data


@pytest.fixture
def settings(tmp_path) -> Settings:
    """An installation that has read three windows."""
    with open_data(tmp_path, SOON) as installation:
        for start in quarters(3):
            record(installation.lake, installation.state.ledger, [reading([0.1, 0.2], start)])
        return installation.settings


def read_one_more(folder: Path, start: datetime, at=SOON) -> None:
    with open_data(folder, SOON) as installation:
        record(installation.lake, installation.state.ledger, [reading([0.7], start, at)])


def contents(folder: Path):
    with open_data(folder, SOON) as installation:
        return ledger_rows(installation.state), current_content(
            installation.lake, installation.state
        )


def empty_settings(folder: Path) -> Settings:
    """Return settings of an installation without data, in a folder of its own."""
    folder.mkdir()
    file = folder / "finops.toml"
    text = (folder.parent / "finops.toml").read_text()
    file.write_text(text.replace(f"{folder.parent}/data", f"{folder}/data"))
    return configuration.load(file, {})


def test_a_restored_installation_is_what_was_backed_up(settings, tmp_path):
    before = contents(tmp_path)
    counts = back_up(settings, tmp_path / "backup")

    other = empty_settings(tmp_path / "other")
    assert restore(other, tmp_path / "backup") == counts
    assert counts.file_count == counts.copied_count == 3

    assert contents(tmp_path / "other") == before


def test_a_second_backup_copies_what_is_new_and_mends_what_is_damaged(settings, tmp_path):
    back_up(settings, tmp_path / "backup")
    read_one_more(tmp_path, MIDNIGHT + 3 * WINDOW)
    assert back_up(settings, tmp_path / "backup").copied_count == 1
    assert back_up(settings, tmp_path / "backup").copied_count == 0

    damaged = min((tmp_path / "backup" / "lake").rglob("*.parquet"))
    damaged.write_bytes(damaged.read_bytes()[:-1])
    assert back_up(settings, tmp_path / "backup").copied_count == 1


def test_a_file_that_is_damaged_here_is_kept_in_the_backup(settings, tmp_path):
    back_up(settings, tmp_path / "backup")
    damaged = min((tmp_path / "data" / "lake").rglob("*.parquet"))
    damaged.unlink()

    assert back_up(settings, tmp_path / "backup").copied_count == 0

    restore(empty_settings(tmp_path / "other"), tmp_path / "backup")
    assert len(contents(tmp_path / "other")[0]) == 3


def test_what_cannot_be_copied_leaves_the_last_backup_as_it_is(settings, tmp_path):
    before = contents(tmp_path)
    back_up(settings, tmp_path / "backup")
    read_one_more(tmp_path, MIDNIGHT + 3 * WINDOW)
    newest = max((tmp_path / "data" / "lake").rglob("*.parquet"))
    newest.write_bytes(b"PAR1")

    with pytest.raises(LakeDamaged, match="is damaged"):
        back_up(settings, tmp_path / "backup")

    restore(empty_settings(tmp_path / "other"), tmp_path / "backup")
    assert contents(tmp_path / "other") == before


def test_a_backup_is_whole_while_others_write(settings, tmp_path):
    stop = threading.Event()

    def write() -> None:
        with open_data(tmp_path, SOON) as installation:
            for hours in range(1, 1000):
                again = [reading([hours / 8], start, SOON + hours * HOUR) for start in quarters(8)]
                record(installation.lake, installation.state.ledger, again)
                compact(installation.lake, installation.state.ledger, [TABLE], MUCH_LATER)
                if stop.is_set():
                    return

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(5):
            back_up(settings, tmp_path / "backup")
            other = tmp_path / f"other{number}"
            restore(empty_settings(other), tmp_path / "backup")
            windows, hashes = contents(other)
            assert hashes == {window.window_start: window.content_sha256 for window in windows}
    finally:
        stop.set()
        writer.join()


def test_a_backup_replaces_nothing(settings, tmp_path):
    back_up(settings, tmp_path / "backup")

    with pytest.raises(StateError, match=r"state\.db exists: a backup is put into an empty"):
        restore(settings, tmp_path / "backup")
    (tmp_path / "data" / "state.db").unlink()
    with pytest.raises(StateError, match=r"\.parquet exists"):
        restore(settings, tmp_path / "backup")
    shutil.rmtree(tmp_path / "data")
    assert restore(settings, tmp_path / "backup") == CopyCounts(3, 3, restored_bytes(tmp_path))


def restored_bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in (folder / "data" / "lake").rglob("*.parquet"))


@pytest.mark.parametrize("damage", ["state.db", "lake"])
def test_a_damaged_backup_is_not_restored(settings, tmp_path, damage):
    back_up(settings, tmp_path / "backup")
    path = tmp_path / "backup" / damage
    file = path if path.is_file() else min(path.rglob("*.parquet"))
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    other = empty_settings(tmp_path / "other")

    with pytest.raises((StateError, LakeDamaged), match="is damaged"):
        restore(other, tmp_path / "backup")

    assert not (tmp_path / "other" / "data" / "state.db").exists()


def test_a_folder_without_a_backup_is_said_to_be_one(settings, tmp_path):
    (tmp_path / "empty").mkdir()

    with pytest.raises(StateError, match=r"holds no backup: there is no state\.db"):
        restore(empty_settings(tmp_path / "other"), tmp_path / "empty")


def test_postgresql_is_backed_up_by_its_own_means(settings, tmp_path):
    url = "postgresql+psycopg2://finops:secret@db/finops"
    other = configuration.load(tmp_path / "finops.toml", {"FINOPS_STATE_URL": url})

    with pytest.raises(
        StateError, match=r"pg_dump .* postgresql://finops:\*\*\*@db/finops"
    ) as refused:
        back_up(other, tmp_path / "backup")

    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("folder", ["", "lake", "lake/raw.allocation"])
def test_a_backup_into_the_data_itself_is_refused(settings, tmp_path, folder):
    before = contents(tmp_path)

    with pytest.raises(StateError, match="holds the data itself: name another folder"):
        back_up(settings, settings.data_dir / folder)

    assert contents(tmp_path) == before
