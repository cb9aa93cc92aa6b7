"""Files that are whole under their names, also after a power cut."""

import errno
import os
from pathlib import Path

DISK_FULL = (errno.ENOSPC, errno.EDQUOT)  # of an OSError: no room, or none left for this user


def rename(unfinished: Path, target: Path) -> None:
    """Sync a file that was just written and give it its name, over a file that has it.

    Raises:
        OSError: the disk is full or broken; the name is as it was.
    """
    sync(unfinished)
    unfinished.replace(target)
    sync(target.parent)


def make_folder(folder: Path) -> None:
    """Create a folder and its parents; each new name is synced in the folder that holds it."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync(folder.parent)


def sync(path: Path) -> None:
    """Wait until the disk has what was written to a file, or the names in a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
