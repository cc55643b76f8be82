"""The launcher's processes: real ones, started, told apart, and ended."""

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from local import processes
from local.processes import Record, Server, Supervisor
from local.settings import ROOT, Refused

# A server with a child of its own, as the engine has: the child must go with it.
SERVER = textwrap.dedent("""
    import http.server, os, signal, subprocess, sys
    stubborn = "stubborn" in sys.argv
    signal.signal(signal.SIGTERM, signal.SIG_IGN if stubborn else lambda *_: sys.exit(0))
    child = subprocess.Popen(["sleep", "300"])
    print(f"child {child.pid}", flush=True)
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200); self.end_headers()
        def log_message(self, *_): pass
    http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
""")


@pytest.fixture
def supervisor(tmp_path):
    made = Supervisor(tmp_path)
    yield made
    made.stop_all()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def server(name="one", *arguments, port=None, version="1") -> Server:
    port = port or free_port()
    ready = lambda: processes.is_healthy(f"http://127.0.0.1:{port}/")
    return Server(
        name,
        (sys.executable, "-c", SERVER, str(port), *arguments),
        os.environ,
        {"ONE_PORT": port},
        ready,
        version,
    )


def start(supervisor, wanted) -> Record:
    assert supervisor.start(wanted)
    supervisor.wait(wanted, within_s=15)
    return supervisor.find(wanted.name)


def child_of(supervisor, name) -> int:
    return int(supervisor.log_of(name).read_text().split()[1])


def test_a_server_is_started_once_and_ends_with_its_children(supervisor):
    wanted = server()
    record = start(supervisor, wanted)
    child = child_of(supervisor, "one")
    assert not supervisor.start(wanted)
    assert supervisor.find("one") == record

    assert supervisor.stop("one")

    assert processes.started_at(record.pid) is None
    assert processes.started_at(child) is None
    assert not supervisor.stop("one")
    assert supervisor.names() == []


def test_one_that_ignores_sigterm_is_killed(supervisor):
    record = start(supervisor, server("one", "stubborn"))

    processes.end_group(record.pid, within_s=0.3)

    assert processes.started_at(record.pid) is None
    assert supervisor.find("one") is None


def test_another_version_replaces_the_running_one(supervisor):
    port = free_port()
    first = start(supervisor, server(port=port))

    second = start(supervisor, server(port=port, version="2"))

    assert second.pid != first.pid
    assert processes.started_at(first.pid) is None


def test_a_pid_that_belongs_to_someone_else_by_now_is_left_alone(supervisor, tmp_path):
    bystander = subprocess.Popen(["sleep", "60"], start_new_session=True)
    try:
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / "one.json").write_text(
            json.dumps({"pid": bystander.pid, "started": "12345", "version": "1"})
        )

        assert supervisor.find("one") is None
        assert not supervisor.stop("one")

        assert bystander.poll() is None
        assert supervisor.names() == []
    finally:
        bystander.kill()
        bystander.wait()


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"pid": 1}', '{"pid": 999999999, "started": "1", "version": ""}']
)
def test_a_pid_file_that_says_nothing_useful_counts_as_none(supervisor, tmp_path, text):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "one.json").write_text(text)

    assert supervisor.find("one") is None


def test_a_port_in_use_is_told_with_the_remedy_and_nothing_is_started(supervisor):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        with pytest.raises(Refused, match=r"port \d+ for one is in use .*ONE_PORT=<port>") as refused:
            supervisor.start(server(port=holder.getsockname()[1]))

    assert refused.value.code == 2
    assert "\n" not in str(refused.value)
    assert supervisor.names() == []


def test_a_server_that_ends_while_starting_is_told_with_its_last_words(supervisor):
    wanted = Server(
        "one", (sys.executable, "-c", "raise SystemExit('no model file')"), os.environ, {}, lambda: False
    )
    supervisor.start(wanted)

    with pytest.raises(Refused, match="one ended while starting: no model file"):
        supervisor.wait(wanted, within_s=10)


def test_two_homes_do_not_see_each_other(tmp_path):
    one, other = Supervisor(tmp_path / "one"), Supervisor(tmp_path / "other")
    record = start(one, server())
    try:
        assert other.stop_all() == []
        assert one.find("one") == record
    finally:
        one.stop_all()


def test_a_command_that_fails_is_told_with_the_end_of_its_output(tmp_path):
    with pytest.raises(processes.CommandFailed, match=r"status 3 .*log: .*call.log.*\n.*the reason"):
        processes.call(
            [sys.executable, "-c", "print('the reason'); raise SystemExit(3)"], log=tmp_path / "call.log"
        )

    assert (tmp_path / "call.log").read_text() == "the reason\n"


LAUNCHER = textwrap.dedent("""
    import concurrent.futures, pathlib, sys, time
    from local import processes, stack
    from local.processes import Server, Supervisor
    supervisor = stack.supervisor = Supervisor(pathlib.Path(sys.argv[1]))
    import os
    one = Server("one", (sys.executable, "-c", "import time; time.sleep(300)"), os.environ, {}, lambda: True)
    processes.interrupt_on_signals()
    try:
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            pool.submit(processes.call, ["sleep", "300"])
            with stack.started([one]) as names:
                time.sleep(0.2)
                print("ready", supervisor.find("one").pid, *processes._calls, flush=True)
                time.sleep(300)
    except processes.Interrupted as interrupted:
        sys.exit(interrupted.code)
""")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_launcher_leaves_no_process_behind(tmp_path, number):
    launcher = subprocess.Popen(
        [sys.executable, "-c", LAUNCHER, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    pids = [int(word) for word in launcher.stdout.readline().split()[1:]]
    assert len(pids) == 2

    launcher.send_signal(number)

    assert launcher.wait(10) == 128 + number
    assert [processes.started_at(pid) for pid in pids] == [None, None]


def test_start_times_tell_processes_apart():
    first = subprocess.Popen(["sleep", "5"])
    time.sleep(0.05)
    second = subprocess.Popen(["sleep", "5"])
    try:
        assert processes.started_at(first.pid) == processes.started_at(first.pid)
        assert processes.started_at(first.pid) != processes.started_at(second.pid)
    finally:
        for process in (first, second):
            process.kill()
            process.wait()


def test_the_folder_of_a_home_holds_pid_files_and_logs(supervisor, tmp_path):
    start(supervisor, server())

    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*")) == [
        "logs/one.log",
        "run/one.json",
    ]
    assert Path(tmp_path / "run" / "one.json").stat().st_size > 0
