"""A PostgreSQL server of the tests' own, where its binaries are found."""

from __future__ import annotations

import getpass
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_INSTALLED = Path("/usr/lib/postgresql")


def binaries() -> Path | None:
    """The folder of the newest server that is installed."""
    found = sorted(_INSTALLED.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).parent if on_path else None


@contextmanager
def running_server() -> Iterator[str]:
    """The URL of an empty database; skips the test with a reason where that cannot be."""
    pytest.importorskip("psycopg", reason="the postgres extra is not installed")
    folder = binaries()
    if folder is None:
        pytest.skip("no PostgreSQL server binaries on this machine")
    user, prefix = _unprivileged()
    home = Path(tempfile.mkdtemp(prefix="attune-pg-"))
    data = home / "data"
    try:
        if os.geteuid() == 0:
            entry = pwd.getpwnam(user)
            os.chown(home, entry.pw_uid, entry.pw_gid)
        _run(
            *prefix, str(folder / "initdb"), "-D", str(data), "-A", "trust", "-U", "attune",
            "--no-sync", "-E", "UTF8", "--locale", "C", cwd=home,
        )  # fmt: skip
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        options = f"-p {port} -k {home} -h 127.0.0.1 -c fsync=off -c shared_buffers=16MB"
        control = [*prefix, str(folder / "pg_ctl"), "-D", str(data), "-w"]
        _run(*control, "-l", str(home / "log"), "-o", options, "start", cwd=home)
        try:
            yield f"postgresql://attune@127.0.0.1:{port}/postgres"
        finally:
            _run(*control, "-m", "immediate", "stop", cwd=home)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _unprivileged() -> tuple[str, list[str]]:
    """Who runs the server (it refuses root), and how to become that user."""
    if os.geteuid() != 0:
        return getpass.getuser(), []
    try:
        pwd.getpwnam("postgres")
    except KeyError:
        pytest.skip("running as root, and there is no user postgres to run the server")
    if shutil.which("setpriv") is None:
        pytest.skip("running as root, and there is no setpriv to become postgres")
    return "postgres", ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]


def _run(*command: str, cwd: Path) -> None:
    done = subprocess.run(
        command, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False
    )
    if done.returncode:
        pytest.skip(f"PostgreSQL did not start here: {done.stderr.decode(errors='replace')[:200]}")
