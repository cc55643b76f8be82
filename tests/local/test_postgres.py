"""local/postgres.py: the server survives what happens to servers on people's machines."""

import contextlib
import os
import signal
import socket
import stat
import subprocess
import sys
import time

import pytest

from local import postgres
from tests.conftest import ROOT, free_port


@pytest.fixture
def home():
    """Return a home in the checkout: root starts the server as a user who can't open pytest's folders."""
    folder = ROOT / ".local" / "test" / f"postgres-trial-{os.getpid()}"
    folder.mkdir(parents=True)
    yield folder
    subprocess.run(["rm", "-rf", str(folder)], check=True)


def ask(server, sql="SELECT 1"):
    from pg8000.native import Connection

    with Connection(
        "showrunner",
        host="127.0.0.1",
        port=server.port,
        database="showrunner",
        password=server.password,
        ssl_context=False,
    ) as connection:
        return connection.run(sql)[0][0]


def postmaster(home):
    return int((home / "postgres" / "data" / "postmaster.pid").read_text().splitlines()[0])


def test_data_outlives_the_server_and_its_violent_death(home):
    with postgres.server(home, free_port()) as server:
        ask(server, "CREATE TABLE kept (a int); INSERT INTO kept VALUES (7); SELECT a FROM kept")
        os.kill(postmaster(home), signal.SIGKILL)
        server.process.wait()

    with postgres.server(home, free_port()) as server:
        assert ask(server, "SELECT a FROM kept") == 7


def test_a_pid_file_that_names_another_program_by_now_is_stale(home):
    with postgres.server(home, free_port(), throwaway=True):
        pass
    (home / "postgres/data/postmaster.pid").write_text(
        f"{os.getpid()}\n{home}\n0\n5432\n\n127.0.0.1\n0 0\nready\n"
    )

    with postgres.server(home, free_port(), throwaway=True) as server:
        assert ask(server) == 1


def test_a_running_server_is_found_and_left_running(home):
    with postgres.server(home, free_port(), throwaway=True) as server:
        with postgres.server(home, server.port) as found:
            assert found.process is None
        assert ask(server) == 1
        with pytest.raises(postgres.PostgresNotStarted, match="already runs on port"):
            postgres.start(home, free_port())


def test_the_password_is_the_owners_alone_and_is_asked_for(home):
    from pg8000.native import DatabaseError

    with postgres.server(home, free_port(), throwaway=True) as server:
        mode = (home / "postgres" / "password").stat().st_mode
        assert stat.S_IMODE(mode) == 0o600
        server.password = "wrong"
        with pytest.raises(DatabaseError, match="28P01"):
            ask(server)


def test_a_port_in_use_is_said_in_one_line(home):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        done = run(home, holder.getsockname()[1])

        _, said = done.communicate(timeout=20)
    assert done.returncode == 2
    assert said.decode().count("\n") == 1
    assert "POSTGRES_PORT" in said.decode()


def run(home, port):
    environment = {**os.environ, "SHOWRUNNER_HOME": str(home), "POSTGRES_PORT": str(port)}
    return subprocess.Popen(
        [sys.executable, "-m", "local.postgres"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_the_server_ends_with_its_process_however_that_ends(home, how):
    process = run(home, free_port())
    assert b"listens" in process.stdout.readline()
    server = postmaster(home)

    process.send_signal(how)
    process.communicate(timeout=5)

    for _ in range(50):
        if not alive(server):
            break
        time.sleep(0.1)
    assert not alive(server)
    assert process.returncode == (0 if how is signal.SIGTERM else -how)


def alive(pid):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False
