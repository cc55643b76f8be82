"""make bench-cold: CPU of a process that imports a function and serves its first request, beside one that imports json and awslambdaric.

Each sample is a fresh process with .pyc files; all take turns. The database, SSM and the rest of AWS answer from other processes, so their CPU isn't counted.
"""

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
import ground
from ground import ROOT, event

ROUNDS = 7
FLOOR = "import json\nimport awslambdaric.bootstrap\n"
SERVE = """
import sys, {module} as function
class context: aws_request_id = "r"; function_name = "f"; invoked_function_arn = "a"; memory_limit_in_mb = 1024
context.get_remaining_time_in_millis = staticmethod(lambda: 30000)
try:
    answer = function.handler(json.loads(sys.argv[1]), context)
    said = answer.get("statusCode", 0) if isinstance(answer, dict) else 0
except Exception as error:
    said = type(error).__name__
sys.stderr.write(f"{{said}}")
"""
# The language and voice workers import an SDK of half a second each, for work of many seconds.
LEFT_OUT = {"script", "voice", "render"}
GOALS = {"worst_api": 8, "websub": 8, "worst_other": 12}


def first_requests(known: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Function -> the event of its first request: a plain read for the API, the first sample for the others."""
    from showrunner.access import tokens

    claims = tokens.service_claims("bench", known["organisation_id"], ["videos:all", "channels:read"], ground.ENVIRONMENT["PLATFORM_URL"])
    token = tokens.sign(claims, known["key"])
    nobody = "00000000-0000-4000-8000-000000000000"
    found = {
        "videos": event("GET", f"/api/v1/videos/{known['video_ids'][0]}", token),
        "channels": event("GET", f"/api/v1/channels/{known['channel_id']}", token),
        "assets": event("GET", f"/api/v1/assets/{nobody}", token),
        "accounts": event("POST", "/api/v1/auth/refresh", None, {"refresh_token": nobody}),
        "admin": event("GET", "/nowhere"),
    }
    for folder in sorted(path.parent.name for path in ROOT.glob("functions/*/app.py")):
        samples = sorted((ROOT / "events").glob(f"{folder}.*.json"))
        if folder not in found and folder not in LEFT_OUT and samples:
            found[folder] = json.loads(samples[0].read_text(encoding="utf-8"))
    return found


def cpu_ms(code: str, argument: str = "") -> tuple[float, str]:
    """CPU of a fresh process, children's and system time included, and what it said on stderr's last line."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'layers' / 'showrunner'}:{ROOT}", "PYTHONHASHSEED": "0"}
    process = subprocess.Popen([sys.executable, "-c", code, argument], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    said = process.stderr.read() if process.stderr else ""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return (usage.ru_utime + usage.ru_stime) * 1000, said.strip().splitlines()[-1] if said.strip() else ""


def main() -> int:
    with ground.stage(videos=100) as known:
        requests = first_requests(known)
        # The password goes as it would by SSM; nothing else of this process is handed on.
        codes = {name: FLOOR + SERVE.format(module=f"functions.{name}.app") for name in requests}
        spent: dict[str, list[float]] = {name: [] for name in ("floor", *codes)}
        said: dict[str, str] = {}
        for turn in range(ROUNDS + 1):
            for name, figures_ in spent.items():
                figure, said[name] = cpu_ms(FLOOR) if name == "floor" else cpu_ms(codes[name], json.dumps(requests[name]))
                if turn:  # the first round warms the disk cache and writes .pyc
                    figures_.append(figure)
    ratios = {name: ground.ratio(each, spent["floor"]) for name, each in spent.items() if name != "floor"}
    is_api = {name: "Application(" in (ROOT / "functions" / name / "app.py").read_text(encoding="utf-8") for name in ratios}
    figures: dict[str, Any] = {"ratio": ratios, "worst_api": max(each for name, each in ratios.items() if is_api[name])}
    if "websub" in ratios:
        figures["websub"] = ratios["websub"]
    figures["worst_other"] = max(each for name, each in ratios.items() if not is_api[name] and name != "websub")
    ground.write("cold", figures)
    print(f"{'':16}{'CPU ms':>8}{'ratio':>8}   first answer")
    for name, each in spent.items():
        print(f"{name:16}{statistics.median(each):8.0f}{ratios.get(name, 1.0):8.2f}   {said[name][:60]}")
    for name, goal in GOALS.items():
        if name in figures:
            print(f"{name:14}{figures[name]:6.2f}   goal at most {goal}: {'met' if figures[name] <= goal else 'MISSED'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
