"""make bench-receive: how long a hub waits on the local engine, beside a function that does nothing.

It needs a running stack (make up).

The receiver looks up the callback, checks the signature and queues the body; the empty function answers. Both
are asked by turns, at a steady rate, over one kept connection; a late answer is counted from when its request
was due. Written to .local/bench/receive.json.
"""

import argparse
import hmac
import http.client
import json
import os
import secrets
import statistics
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "layers/showrunner")]
OUT = ROOT / ".local" / "bench"
CHANNEL = "UC" + "b" * 22
EMPTY = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Api: {Type: AWS::Serverless::HttpApi}
  Empty:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.13
      Handler: index.handler
      InlineCode: "def handler(event, context):\\n    return {'statusCode': 202, 'body': ''}\\n"
      Events:
        Any: {Type: HttpApi, Properties: {ApiId: !Ref Api}}
Outputs:
  ApiId: {Value: !Ref Api}
"""


def stack(name: str) -> dict[str, str]:
    import boto3

    described = boto3.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
    return {each["OutputKey"]: each["OutputValue"] for each in described.get("Outputs", [])}


def empty_api() -> str:
    import boto3

    formation = boto3.client("cloudformation")
    formation.create_stack(
        StackName="bench-empty", TemplateBody=EMPTY, Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
    )
    formation.get_waiter("stack_create_complete").wait(StackName="bench-empty", WaiterConfig={"Delay": 1})
    return stack("bench-empty")["ApiId"]


def callback(data: dict[str, str]) -> tuple[str, str]:
    """Store a callback that the receiver knows, without asking a hub. Returns (token, secret)."""
    from showrunner.feed import callbacks

    os.environ.update(STATE_TABLE=data["StateTable"], STAGE_KEY_ARN=data["StageKeyArn"])
    token, secret = secrets.token_urlsafe(32), secrets.token_urlsafe(24)
    row = {
        "callback_token": token, "id": 1, "channel_id": CHANNEL, "topic_url": f"https://www.youtube.com/xml/feeds/videos.xml?channel_id={CHANNEL}",
        "callback_url": "https://bench.example/webhook", "asked_seconds": 432_000,
        "secret": callbacks.seal(secret, token), "previous_secret": None,
        "updated_at": datetime.now(UTC),
    }  # fmt: skip
    callbacks.save(row, time.time() + 3600)
    return token, secret


def body(number: int) -> bytes:
    """Return a notification as long as YouTube's but without a video: only its event is stored."""
    return f"""<?xml version='1.0' encoding='UTF-8'?>
<feed xmlns:yt="http://www.youtube.com/xml/schemas/2015" xmlns="http://www.w3.org/2005/Atom">
 <title>Benchmark {number}</title><updated>2026-11-20T08:13:10.038244318+00:00</updated>
  <subtitle>{"x" * 900}</subtitle></feed>""".encode()


class Way:
    """Send posts to one API and measure them."""

    def __init__(self, port: int, path: str, secret: str) -> None:
        self.connection, self.path, self.secret, self.times = (
            http.client.HTTPConnection("127.0.0.1", port, timeout=30),
            path,
            secret,
            [],
        )

    def post(self, number: int, due: float) -> None:
        content = body(number)
        headers = {
            "content-type": "application/atom+xml",
            "x-hub-signature": f"sha1={hmac.new(self.secret.encode(), content, 'sha1').hexdigest()}",
        }
        self.connection.request("POST", self.path, content, headers)
        answer = self.connection.getresponse()
        answer.read()
        assert answer.status == 202, f"{self.path} answers {answer.status}"
        self.times.append((time.perf_counter() - due) * 1000)

    def measured(self) -> dict[str, float]:
        times = sorted(self.times)
        return {
            "p50_ms": round(statistics.median(times), 2),
            "p99_ms": round(times[int(len(times) * 0.99)], 2),
        }


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--posts", type=int, default=1000)
    arguments.add_argument("--rate", type=float, default=20, help="posts a second, half of them to each")
    options = arguments.parse_args()
    from local.settings import APPLICATION_STACK, DATA_STACK, PORTS, aws_environment

    os.environ.update(aws_environment())
    token, secret = callback(stack(DATA_STACK))
    base = "/_aws/execute-api/"
    ways = {
        "receiver": Way(
            PORTS["ENGINE_PORT"],
            f"{base}{stack(APPLICATION_STACK)['IngestionApiId']}/webhook/{token}",
            secret,
        ),
        "empty function": Way(PORTS["ENGINE_PORT"], f"{base}{empty_api()}/", secret),
    }
    try:
        for way in ways.values():
            for number in range(20):
                way.post(number, time.perf_counter())
            way.times.clear()
        begun = time.perf_counter()
        for number in range(options.posts):
            for place, way in enumerate(ways.values()):
                due = begun + (2 * number + place) / options.rate
                time.sleep(max(0.0, due - time.perf_counter()))
                way.post(number, due)
    finally:
        import boto3

        from showrunner.aws import dynamodb

        boto3.client("cloudformation").delete_stack(StackName="bench-empty")
        dynamodb.remove(f"websub#{token}", "subscription")
    figures = {name: way.measured() for name, way in ways.items()}
    for name, measured in figures.items():
        print(f"{name:16s} p50 {measured['p50_ms']:7.2f} ms   p99 {measured['p99_ms']:7.2f} ms")
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "receive.json").write_text(json.dumps(figures, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
