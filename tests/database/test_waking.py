"""showrunner.database.db with a database that sleeps:

Aurora accepts a connection at once and answers when it has woken.
"""

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from showrunner.database import db
from showrunner.errors import DatabaseUnavailable


class Sleeper:
    """A server in front of the real one that passes nothing on until it has woken."""

    def __init__(self, target: int, asleep_s: float) -> None:
        self.target, self.wakes_at, self.connections = target, time.monotonic() + asleep_s, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                self.connections += 1
                threading.Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def _pass_on(self, client: socket.socket) -> None:
        time.sleep(max(0.0, self.wakes_at - time.monotonic()))
        server = socket.create_connection(("127.0.0.1", self.target))
        back = threading.Thread(target=self._copy, args=(server, client), daemon=True)
        back.start()
        self._copy(client, server)

    @staticmethod
    def _copy(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)


@pytest.fixture
def asleep(postgres, monkeypatch) -> Iterator[object]:
    """`asleep(seconds)` puts a sleeping server in front of the database."""
    made = []
    # As in AWS, on a shorter scale: waking takes longer than a statement may.
    monkeypatch.setattr(db, "SOCKET_TIMEOUT_S", 0.5)
    monkeypatch.setattr(db.connect, "__defaults__", (db.STATEMENT_TIMEOUT_MS, 0.5, None, None))

    def begin(seconds: float) -> Sleeper:
        made.append(Sleeper(int(os.environ["DATABASE_PORT"]), seconds))
        monkeypatch.setenv("DATABASE_PORT", str(made[0].port))
        db.close()
        return made[0]

    yield begin
    db.close()
    for each in made:
        each.listener.close()


@pytest.mark.parametrize("way", [db.transaction, db.reading])
def test_the_first_request_after_a_pause_waits_until_the_database_is_awake(asleep, way):
    asleep(1.2)

    with way() as tx:
        assert db.value(tx, "SELECT 1") == 1
        with pytest.raises(DatabaseUnavailable):
            db.value(tx, "SELECT pg_sleep(1)")  # a statement still has its own, shorter time


def test_a_database_that_sleeps_on_is_given_up_once_within_what_the_gateway_waits(asleep, monkeypatch):
    monkeypatch.setattr(db, "WAKE_SECONDS", 0.6)
    sleeper = asleep(5)
    begun = time.monotonic()

    with pytest.raises(DatabaseUnavailable), db.transaction():
        pass

    assert time.monotonic() - begun < 1.1, "a second wait of the same length would outlast the gateway"
    assert sleeper.connections == 1


def test_waiting_and_the_statement_after_it_fit_into_the_gateway_s_patience():
    """API Gateway waits for 30 seconds, our functions run for 29; Aurora wakes in about 15."""
    assert 15 < db.WAKE_SECONDS < 25
