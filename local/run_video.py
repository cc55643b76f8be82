"""`make run`: order a video from the API, show its progress, download its files, print durations and list
prices.
"""

import contextlib
import json
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import httpx
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from local import publish_video, stack
from local.deploy import answered, client, ensure_channel
from local.settings import HOME, Refused

# The API allows a caller 60 requests a minute and 1,000 an hour: poll fast for a short video, slower for a
# long one.
ASK_EVERY_S, FIRST_S, LATER_EVERY_S = 1.2, 240, 4.0
# A gateway that restarts, or an engine that is busy with a cold start, answers again within this time.
SILENT_FOR_S = 60.0
TOO_MANY_REQUESTS, SERVER_ERROR = 429, 500

FILES = {
    "video": ("video", ".mp4"),
    "thumbnail": ("thumbnail", ".jpg"),
    "thumbnail_tall": ("thumbnail.tall", ".jpg"),
    "srt": ("captions", ".srt"),
    "vtt": ("captions", ".vtt"),
}

STEPS = {
    "prepare": "preparing",
    "script": "writing the script",
    "voice": "speaking and choosing pictures",
    "visuals": "speaking and choosing pictures",
    "timeline": "planning the timeline",
    "render": "rendering",
    "finish": "finishing",
}
# A channel that publishes automatically goes on after "completed".
FINISHED = ("completed", "publishing", "scheduled", "published", "review")
console = Console(highlight=False)


def make(body: dict[str, Any], begun_at: float, *, publish: bool = False) -> None:
    """Make a video from the brief. `begun_at` is when the person started to wait (Unix time).

    With `publish` it is also published on the stand-in for YouTube.
    """
    with client() as api:
        if publish:
            publish_video.log_in(api)
            channel = publish_video.ensure_channel(api)
        else:
            channel = body.get("channel_id") or ensure_channel(api)
        started = time.monotonic()
        video_id = ask(api, {**body, "channel_id": channel})
        console.print(f"Making video {video_id}")
        follow(api, video_id)
        production_s = time.monotonic() - started
        summary = collect(api, video_id)
        if publish:
            summary["youtube"] = publish_video.publish(api, video_id)
    summary |= {"production_s": round(production_s, 1), "wall_s": round(time.time() - begun_at, 1)}
    write(summary)
    show(summary)


def ask(api: httpx.Client, body: dict[str, Any]) -> str:
    accepted = answered(
        api.post("/api/v1/videos/generate", json=body, headers={"Idempotency-Key": str(uuid.uuid4())})
    )
    return str(accepted["video_id"])


def follow(api: httpx.Client, video_id: str) -> None:
    """Wait until the video is finished. Raises Refused with step and reason if it failed or was cancelled."""
    started_at = time.monotonic()
    with progress_view() as view:
        while True:
            status = ask_patiently(api, f"/api/v1/videos/{video_id}/status")
            view.update_step(status.get("current_step"), int(status.get("progress") or 0))
            if status["status"] in FINISHED:
                return
            if status["status"] in ("failed", "cancelled"):
                break
            time.sleep(ASK_EVERY_S if time.monotonic() - started_at < FIRST_S else LATER_EVERY_S)
    raise Refused(failure(video_id, status), code=1)


def failure(video_id: str, status: dict[str, Any]) -> str:
    if status["status"] == "cancelled":
        return f"video {video_id} was cancelled"
    model_names = "; ".join(
        f"{error['step']}: {error['message']} ({error['code']})" for error in status["errors"]
    )
    retry = f"POST /api/v1/videos/{video_id}/retry tries again without paying twice"
    failed_at = model_names or status["current_step"]
    ended = stack.ended()
    return f"video {video_id} failed at {failed_at}\n    {ended or f'logs: {stack.logs()}'}; {retry}"


def ask_patiently(api: httpx.Client, path: str) -> Any:
    """GET `path` and return its JSON. Retry for SILENT_FOR_S, since a production goes on while its API
    restarts.
    """
    deadline = time.monotonic() + SILENT_FOR_S
    while True:
        try:
            answer = api.get(path)
            if answer.status_code == TOO_MANY_REQUESTS:
                deadline += pause(answer)
            elif answer.status_code < SERVER_ERROR or time.monotonic() > deadline:
                return answered(answer)
        except httpx.TransportError as error:
            if time.monotonic() > deadline:
                raise Refused(
                    f"the API has been silent for {SILENT_FOR_S:.0f} s ({error or type(error).__name__}); "
                    f"{stack.ended() or f'logs: {stack.logs()}'}",
                    code=1,
                ) from error
        time.sleep(1)


def pause(answer: httpx.Response) -> float:
    """Sleep as long as Retry-After says. Returns the seconds."""
    seconds = float(answer.headers.get("Retry-After") or 1)
    time.sleep(seconds)
    return seconds


class View(Protocol):
    def update_step(self, step: str | None, percent: int) -> None: ...


@contextlib.contextmanager
def progress_view() -> Iterator[View]:
    """Yield a progress bar on a terminal, plain lines in a log."""
    if not console.is_terminal:
        yield LineView()
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=40),
        TaskProgressColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        yield BarView(progress)


class LineView:
    """Print one line when a step begins, and one for every ten percent."""

    def __init__(self) -> None:
        self.started_at = time.monotonic()
        self.last: tuple[str, int] = ("", -1)

    def update_step(self, step: str | None, percent: int) -> None:
        words = STEPS.get(step or "", step or "waiting")
        if (words, percent // 10) != self.last:
            self.last = (words, percent // 10)
            print(f"  {time.monotonic() - self.started_at:6.1f} s  {percent:3d} %  {words}", flush=True)


class BarView:
    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.task = progress.add_task("waiting", total=100)
        self.words, self.since = "", time.monotonic()

    def update_step(self, step: str | None, percent: int) -> None:
        words = STEPS.get(step or "", step or "waiting")
        if words != self.words:
            if self.words:
                self.progress.console.print(
                    f"  [green]✓[/] {self.words} [dim]{time.monotonic() - self.since:.1f} s[/]"
                )
            self.words, self.since = words, time.monotonic()
        self.progress.update(self.task, description=words, completed=percent)


def collect(api: httpx.Client, video_id: str) -> dict[str, Any]:
    """Download the files. Returns the content of summary.json."""
    video = ask_patiently(api, f"/api/v1/videos/{video_id}")["video"]
    costs = ask_patiently(api, f"/api/v1/videos/{video_id}/cost")
    paths = download(ask_patiently(api, f"/api/v1/videos/{video_id}/download"), HOME / "out" / video_id)
    product = video["product"]
    return {
        "video_id": video_id,
        "title": video["title"],
        "paths": {name: str(path) for name, path in paths.items()},
        "bytes": {name: path.stat().st_size for name, path in paths.items()},
        "duration_s": video["duration_seconds"],
        "loudness_lufs": product["loudness_lufs"],
        "true_peak_dbtp": product["true_peak_dbtp"],
        "picture": product.get("picture"),
        "seconds": product["step_seconds"],
        "list_price_usd": costs["breakdown"],
        "total_usd": costs["total_usd"],
        "list_price_only": costs["list_price_only"],
        "demo": video["demo"],
        "models": product["models"],
    }


def write(summary: dict[str, Any]) -> None:
    path = HOME / "out" / summary["video_id"] / "summary.json"
    path.write_text(json.dumps(summary, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def download(links: dict[str, Any], folder: Path) -> dict[str, Path]:
    """Download every file of every output. The first output's files have plain names; those of the others
    carry the output's name (video.16x9.mp4). Returns name -> path.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = {}
    with httpx.Client(timeout=60, trust_env=False) as store:
        for number, output in enumerate(links["outputs"]):
            mark = "" if number == 0 else f".{output['name']}"
            for kind, (stem, suffix) in FILES.items():
                if output.get(kind):
                    paths[f"{kind}{mark}"] = fetch(store, output[kind], folder / f"{stem}{mark}{suffix}")
    return paths


def fetch(store: httpx.Client, url: str, path: Path) -> Path:
    with store.stream("GET", url) as answer:
        if answer.is_error:
            answer.read()
            raise Refused(
                f"{path.name} could not be fetched: the store answered {answer.status_code} "
                f"{answer.text[:200]}",
                code=1,
            )
        with path.open("wb") as file:
            for part in answer.iter_bytes():
                file.write(part)
    return path


def show(summary: dict[str, Any]) -> None:
    megabytes = summary["bytes"].get("video", 0) / 1e6
    table = Table(
        title=summary["title"] or summary["video_id"],
        title_justify="left",
        title_style="bold",
        show_header=False,
        box=None,
        padding=(0, 2),
    )
    rows = {
        "length": f"{summary['duration_s']:.1f} s",
        "size": f"{megabytes:.1f} MB",
        "loudness": f"{summary['loudness_lufs']} LUFS, peak {summary['true_peak_dbtp']} dBTP",
        "picture": _picture(summary["picture"] or {}),
        "made in": f"{summary['production_s']:.0f} s ({summary['wall_s']:.0f} s with everything around it)",
        "models": "; ".join(
            f"{name}: {model_names(model)}" for name, model in (summary["models"] or {}).items()
        ),
    }
    for name, value in rows.items():
        table.add_row(name, value)
    console.print()
    console.print(table)
    console.print(step_table(summary))
    if summary["demo"]:
        console.print(
            "  Demo: stand-ins wrote or spoke this on this machine. Nobody checked its facts; don't "
            "publish it.",
            style="yellow",
            soft_wrap=True,
        )
    for name, path in summary["paths"].items():
        console.print(f"  {name:<10} {path}", soft_wrap=True)
    console.print(
        f"  {'summary':<10} {Path(summary['paths']['video']).with_name('summary.json')}", soft_wrap=True
    )
    if youtube := summary.get("youtube"):
        console.print(f"  {'YouTube':<10} {youtube['url']} ({youtube['privacy_status']})", soft_wrap=True)


def _picture(measured: dict[str, Any]) -> str:
    """Return what the render measured of the picture, in words."""
    if not measured:
        return "not measured"
    return (
        f"{measured['motion_share']:.0%} in motion, {measured['shots_per_minute']:.0f} shots a minute, "
        f"the longest {measured['longest_shot_s']:.1f} s, {measured['repeats']} repeated"
    )


def step_table(summary: dict[str, Any]) -> Table:
    """Return the table of seconds and price per step. Most steps have no price of their own."""
    price = "list price, USD" if summary["list_price_only"] else "cost, USD"
    table = Table(box=None, padding=(0, 2))
    table.add_column("step")
    table.add_column("seconds", justify="right")
    table.add_column(price, justify="right")
    seconds, costs = summary["seconds"], summary["list_price_usd"]
    # In working order; storage and other entries that only have a price come last.
    for step in dict.fromkeys([*STEPS, *seconds, *costs]):
        if step in seconds or float(costs.get(step, 0)):
            table.add_row(
                step,
                f"{seconds[step]:.1f}" if step in seconds else "",
                f"{float(costs.get(step, 0)):.5f}" if step in costs else "",
            )
    table.add_row(
        "total", f"{summary['production_s']:.1f}", f"{float(summary['total_usd']):.5f}", style="bold"
    )
    return table


def model_names(model: Any) -> str:
    return ", ".join(map(str, model)) if isinstance(model, list) else str(model)
