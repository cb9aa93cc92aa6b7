"""A PostgreSQL server of a test's own, on a socket in a folder that is gone afterwards."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from sqlalchemy import URL, create_engine, text

from finops_pipeline_tests import programs

_USER = "postgres"  # made by Debian's package; the server refuses to run as root
_SETUP = ("--encoding=UTF8", "--locale=C", "--no-sync")


@contextmanager
def server() -> Iterator[URL]:
    """Run a server; yield the URL of its database ``postgres``."""
    folder = Path(tempfile.mkdtemp(prefix="finops-postgresql-"))
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, _USER)
        data = str(folder / "data")
        _run("initdb", "--pgdata", data, "--auth=trust", f"--username={_USER}", *_SETUP)
        options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
        log = str(folder / "log")
        _run("pg_ctl", "start", "--wait", "--pgdata", data, "--log", log, "--options", options)
        try:
            yield URL.create(
                "postgresql+psycopg2",
                username=_USER,
                database="postgres",
                query={"host": str(folder)},
            )
        finally:
            _run("pg_ctl", "stop", "--pgdata", data, "--mode=immediate")
    finally:
        shutil.rmtree(folder)


def new_database(server_url: URL) -> str:
    """Make an empty database; return its URL."""
    name = f"finops_{uuid4().hex}"
    engine = create_engine(server_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"create database {name}"))
    engine.dispose()
    return server_url.set(database=name).render_as_string(hide_password=False)


def _run(program: str, *arguments: str) -> None:
    path = programs.find(program)
    assert path, f"{program} is not installed"
    as_user = ["runuser", "-u", _USER, "--"] if os.geteuid() == 0 else []
    command = [*as_user, str(path), *arguments]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/")
