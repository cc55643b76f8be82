"""`make run`: asks the API for a video, shows its steps, fetches the files and says what they are, how long each step took and what it would cost."""

import contextlib
import json
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import httpx
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from local import stack
from local.deploy import answered
from local.settings import HOME, Refused

# A status answer costs some milliseconds; four a second look alive.
ASK_EVERY_S = 0.25
# A gateway that is started anew, or an engine that is busy with a cold start, comes back within this.
SILENT_FOR_S = 60.0

STEPS = {
    "prepare": "preparing",
    "script": "writing the script",
    "voice": "speaking and choosing pictures",
    "visuals": "speaking and choosing pictures",
    "timeline": "planning the timeline",
    "render": "rendering",
    "finish": "finishing",
}
console = Console(highlight=False)


def produce(api: httpx.Client, channel: str, body: dict[str, Any]) -> Path:
    """The folder with the finished files and summary.json."""
    begun = time.monotonic()
    video_id = ask(api, {"channel_id": channel, **body})
    follow(api, video_id)
    wall_s = time.monotonic() - begun
    summary = collect(api, video_id, wall_s)
    show(summary)
    return HOME / "out" / video_id


def ask(api: httpx.Client, body: dict[str, Any]) -> str:
    accepted = answered(api.post("/api/v1/videos/generate", json=body, headers={"Idempotency-Key": str(uuid.uuid4())}))
    return str(accepted["video_id"])


def follow(api: httpx.Client, video_id: str) -> None:
    """Until the video is finished; Refused with the step and the reason when it failed or was cancelled."""
    with shown() as view:
        while True:
            status = ask_patiently(api, f"/api/v1/videos/{video_id}/status")
            view.tell(status.get("current_step"), int(status.get("progress") or 0))
            if status["status"] == "completed":
                return
            if status["status"] in ("failed", "cancelled"):
                break
            time.sleep(ASK_EVERY_S)
    raise Refused(failure(video_id, status), code=1)


def failure(video_id: str, status: dict[str, Any]) -> str:
    if status["status"] == "cancelled":
        return f"video {video_id} was cancelled"
    errors = status.get("errors") or []
    told = "; ".join(f"{error.get('step', status.get('current_step'))}: {error.get('message', error)} ({error.get('code', 'no code')})" for error in errors)
    return f"video {video_id} failed at {told or status.get('current_step')}\n    logs: {stack.logs()}   try again without paying twice: POST /api/v1/videos/{video_id}/retry"


def ask_patiently(api: httpx.Client, path: str) -> Any:
    """A production lives on while its API is away for a moment: only a long silence or a refusal ends the watching."""
    deadline = time.monotonic() + SILENT_FOR_S
    while True:
        try:
            answer = api.get(path)
            if answer.status_code < 500 or time.monotonic() > deadline:
                return answered(answer)
        except httpx.TransportError as error:
            if time.monotonic() > deadline:
                raise Refused(f"the API has been silent for {SILENT_FOR_S:.0f} s ({error or type(error).__name__}); logs: {stack.logs()}", code=1) from error
        time.sleep(1)


class View(Protocol):
    def tell(self, step: str | None, percent: int) -> None: ...


@contextlib.contextmanager
def shown() -> Iterator[View]:
    """A live bar for a person, lines for a log."""
    if not console.is_terminal:
        yield Lines()
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(bar_width=40), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        yield Bar(progress)


class Lines:
    """One line when a step begins, and one every ten percent of the longest."""

    def __init__(self) -> None:
        self.begun = time.monotonic()
        self.last: tuple[str, int] = ("", -1)

    def tell(self, step: str | None, percent: int) -> None:
        words = STEPS.get(step or "", step or "waiting")
        if (words, percent // 10) != self.last:
            self.last = (words, percent // 10)
            print(f"  {time.monotonic() - self.begun:6.1f} s  {percent:3d} %  {words}", flush=True)


class Bar:
    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.task = progress.add_task("waiting", total=100)
        self.words, self.since = "", time.monotonic()

    def tell(self, step: str | None, percent: int) -> None:
        words = STEPS.get(step or "", step or "waiting")
        if words != self.words:
            if self.words:
                self.progress.console.print(f"  [green]✓[/] {self.words} [dim]{time.monotonic() - self.since:.1f} s[/]")
            self.words, self.since = words, time.monotonic()
        self.progress.update(self.task, description=words, completed=percent)


def collect(api: httpx.Client, video_id: str, wall_s: float) -> dict[str, Any]:
    """Fetches the files beside summary.json and returns what it says."""
    told = ask_patiently(api, f"/api/v1/videos/{video_id}")
    costs = ask_patiently(api, f"/api/v1/videos/{video_id}/cost")
    folder = HOME / "out" / video_id
    paths = download(ask_patiently(api, f"/api/v1/videos/{video_id}/download"), folder)
    video = told["video"]
    product = video.get("product") or {}
    summary = {
        "video_id": video_id,
        "title": video.get("title"),
        "paths": {name: str(path) for name, path in paths.items()},
        "duration_s": float(video.get("duration_seconds") or 0),
        "bytes": {name: path.stat().st_size for name, path in paths.items()},
        "loudness_lufs": product.get("loudness_lufs"),
        "true_peak_dbtp": product.get("true_peak_dbtp"),
        "wall_s": round(wall_s, 1),
        "seconds": product.get("step_seconds") or {},
        "list_price_usd": costs,
        "demo": video.get("demo"),
        "models": product.get("models"),
    }
    (folder / "summary.json").write_text(json.dumps(summary, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return summary


def download(links: dict[str, Any], folder: Path) -> dict[str, Path]:
    folder.mkdir(parents=True, exist_ok=True)
    raise NotImplementedError(links)


def show(summary: dict[str, Any]) -> None:
    console.print(Table())
