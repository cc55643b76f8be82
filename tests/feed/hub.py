"""A real WebSub hub (flask-websub) in a process of its own: python tests/feed/hub.py PORT ALGORITHM FOLDER.

/hub is the hub, /publish sends a body to all subscribers of a topic, /fail lets the next requests fail with
503 and Retry-After.
"""

import base64
import sys
import threading
import time
import uuid
from types import SimpleNamespace

from flask import Flask, Response, request
from flask_websub.hub import Hub, SQLite3HubStorage


class Queue:
    """The part of Celery that the hub uses: each task runs in its own thread after the response."""

    def task(self, bind=False, **_):
        return lambda work: Task(work, bind)


class Task:
    def __init__(self, work, bind):
        self.work, self.bind, self.request = work, bind, SimpleNamespace(retries=0)

    def delay(self, *arguments):
        threading.Thread(target=self.run, args=arguments, daemon=True).start()

    def run(self, *arguments):
        time.sleep(0.02)
        self.work(self, *arguments) if self.bind else self.work(*arguments)

    def retry(self, countdown):
        """Do nothing: the tests look at the first answer."""


def make(port: int, algorithm: str, folder: str) -> Flask:
    app = Flask(__name__)
    app.config["HUB_MAX_LEASE_SECONDS"] = 864_000
    hub = Hub(SQLite3HubStorage(f"{folder}/hub.sqlite3"), Queue(), SIGNATURE_ALGORITHM=algorithm)
    app.register_blueprint(hub.build_blueprint(url_prefix="/hub"))
    left = [0, ""]

    @app.before_request
    def failing():
        if request.path == "/hub" and left[0] > 0:
            left[0] -= 1
            return Response("Transient error; please try again later", 503, {"Retry-After": left[1]})
        return None

    @app.post("/fail")
    def fail():
        left[:] = [int(request.form["times"]), request.form["retry_after"]]
        return ""

    @app.post("/publish")
    def publish():
        link = f'<http://127.0.0.1:{port}/hub>; rel="hub", <{request.args["topic"]}>; rel="self"'
        headers = {"Content-Type": "application/atom+xml", "Link": link}
        hub.send_change_notification.delay(
            request.args["topic"],
            {"headers": headers, "content": base64.b64encode(request.get_data()).decode()},
        )
        return ""

    @app.post("/reset")
    def reset():
        """Forget all subscriptions and failures, so that the next test finds a new hub."""
        left[:] = [0, ""]
        hub.storage = SQLite3HubStorage(f"{folder}/{uuid.uuid4()}.sqlite3")
        return ""

    @app.get("/subscribers")
    def subscribers():
        return [callback for callback, _ in hub.storage.get_callbacks(request.args["topic"])]

    return app


if __name__ == "__main__":
    make(int(sys.argv[1]), sys.argv[2], sys.argv[3]).run("127.0.0.1", int(sys.argv[1]), threaded=True)
