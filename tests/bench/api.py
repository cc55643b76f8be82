"""make bench-api:

CPU a request of the Platform API in process on a real PostgreSQL, by turns with a FastAPI twin and the raw
handler as limit.

With `--try`, each case runs once and nothing is measured: a test does that, so that the bench goes with the
code.
"""

import contextlib
import json
import os
import statistics
import sys
import uuid
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
import ground
from ground import by_turns, event, ratio

ROUNDS, SECONDS = 9, 0.25
GOALS = {
    "get_bare_vs_twin": (10, "at least"),
    "list_bare_vs_twin": (10, "at least"),
    "get_vs_twin": (6, "at least"),
    "list_vs_twin": (6, "at least"),
}
GOALS |= {"get_vs_raw": (3, "at most")}


def bare_application(organisation_id: str) -> Any:
    """The two routes alone: routing, query, response."""
    from showrunner.access import roles
    from showrunner.database import db
    from showrunner.store.studio import videos
    from showrunner.web import answers, application, fields, routing
    from showrunner.web.answers import Answer
    from showrunner.web.application import Application

    app = Application("bench")

    @app.get("/bare/videos/{video_id}", permission=roles.PUBLIC, unlimited=True)
    def one(request: routing.Request, video_id: str) -> Answer:
        with db.reading() as tx:
            return Answer(db.value(tx, ONE, o=organisation_id, id=video_id))

    @app.get("/bare/videos", permission=roles.PUBLIC, unlimited=True)
    def some(request: routing.Request, query: fields.Page) -> Answer:
        with db.reading() as tx:
            return Answer('{"videos":' + db.value(tx, SOME, o=organisation_id, limit=query.limit) + "}")

    # The item and the summary are the product's own expressions.
    OWN = "FROM studio.videos v WHERE v.organisation_id = :o AND v.deleted_at IS NULL"  # noqa: N806
    ONE = f"SELECT {videos._ITEM}::text {OWN} AND v.id = :id"  # noqa: N806
    SOME = f"""SELECT coalesce(json_agg(item), '[]')::text FROM (SELECT {videos._LIST.item} AS item {OWN}
               ORDER BY v.created_at DESC, v.id DESC LIMIT :limit) x"""  # noqa: N806

    def serve(made: dict[str, Any]) -> dict[str, Any]:
        http = made["requestContext"]["http"]
        request = routing.Request("r", http["method"], made["rawPath"], "", made["headers"], http["sourceIp"])
        return answers.respond(request, application._answer(app, request, made))

    return serve, ONE


def raw_handler(sql: str, organisation_id: str) -> Any:
    """The limit: a dictionary of routes, one prepared statement, its text as the body."""
    from showrunner.database import db

    statement = db.connect().prepare(sql)
    routes = {("GET", "videos"): lambda parts: statement.run(o=organisation_id, id=parts[2])[0][0]}

    def serve(made: dict[str, Any]) -> dict[str, Any]:
        parts = made["rawPath"].strip("/").split("/")
        handler = routes[made["requestContext"]["http"]["method"], parts[1]]
        return {"statusCode": 200, "headers": {"content-type": "application/json"}, "body": handler(parts)}

    return serve


def cases(known: dict[str, Any]) -> dict[str, Any]:
    import twin

    from functions.accounts.app import handler as accounts
    from functions.videos.app import handler as videos
    from showrunner.access import tokens

    token = tokens.sign(
        tokens.service_claims(
            "bench", known["organisation_id"], ["videos:all"], ground.ENVIRONMENT["PLATFORM_URL"]
        ),
        known["key"],
    )
    url = f"postgresql+psycopg://showrunner:{known['password']}@127.0.0.1:{known['port']}/showrunner"
    peer = twin.make(url, known["key"], known["organisation_id"])
    bare, one = bare_application(known["organisation_id"])
    raw = raw_handler(one, known["organisation_id"])
    ids = iter(known["video_ids"] * 1000)
    email, password = f"{uuid.uuid4().hex[:12]}@example.com", "Correct-horse-7-battery"
    response = accounts(
        event(
            "POST",
            "/api/v1/auth/register",
            None,
            {"email": email, "password": password, "full_name": "Bench"},
        ),
        None,
    )
    assert response["statusCode"] == 201, response
    brief = {"channel_id": known["channel_id"], "topic": "How bees tell each other where flowers are"}

    def good(response: dict[str, Any], status: int = 200) -> None:
        assert response["statusCode"] == status, response

    def good_peer(response: tuple[int, bytes]) -> None:
        assert response[0] == 200, response

    return {
        "GET raw": lambda: good(raw(event("GET", f"/bare/videos/{next(ids)}"))),
        "GET bare": lambda: good(bare(event("GET", f"/bare/videos/{next(ids)}"))),
        "GET bare twin": lambda: good_peer(peer(f"/bare/videos/{next(ids)}")),
        "GET": lambda: good(videos(event("GET", f"/api/v1/videos/{next(ids)}", token), None)),
        "GET twin": lambda: good_peer(peer(f"/full/videos/{next(ids)}", "", token)),
        "LIST bare": lambda: good(bare(event("GET", "/bare/videos?limit=50"))),
        "LIST bare twin": lambda: good_peer(peer("/bare/videos", "limit=50")),
        "LIST": lambda: good(videos(event("GET", "/api/v1/videos?limit=50", token), None)),
        "LIST twin": lambda: good_peer(peer("/full/videos", "limit=50", token)),
        "POST generate": lambda: good(
            videos(event("POST", "/api/v1/videos/generate", token, brief), None), 202
        ),
        "POST login": lambda: good(
            accounts(event("POST", "/api/v1/auth/login", None, {"email": email, "password": password}), None)
        ),
    }


def main() -> int:
    is_trial = sys.argv[1:] == ["--try"]
    with ground.stage(videos=100 if is_trial else 20_000) as known:
        made = cases(known)
        if is_trial:
            for case in made.values():
                case()
            print(f"{len(made)} cases answered")
            return 0
        # What a function writes to its log goes where Lambda would take it, at the same cost and out of the
        # table's way.
        with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):  # noqa: PTH123
            spent = by_turns(made, ROUNDS, SECONDS)
    figures: dict[str, Any] = {
        "get_bare_vs_twin": ratio(spent["GET bare twin"], spent["GET bare"]),
        "list_bare_vs_twin": ratio(spent["LIST bare twin"], spent["LIST bare"]),
        "get_vs_twin": ratio(spent["GET twin"], spent["GET"]),
        "list_vs_twin": ratio(spent["LIST twin"], spent["LIST"]),
        "get_vs_raw": ratio(spent["GET bare"], spent["GET raw"]),
        "cpu_us": {name: round(statistics.median(each), 1) for name, each in spent.items()},
        "requests_per_second_per_core": {
            name: round(1e6 / statistics.median(each)) for name, each in spent.items()
        },
    }
    ground.write("api", figures)
    print(f"{'':18}{'CPU us min':>12}{'median':>10}{'max':>10}{'req/s/core':>12}")
    for name, each in spent.items():
        print(
            f"{name:18}{min(each):12.0f}{statistics.median(each):10.0f}{max(each):10.0f}"
            f"{1e6 / statistics.median(each):12.0f}"
        )
    for name, (goal, words) in GOALS.items():
        met = figures[name] >= goal if words == "at least" else figures[name] <= goal
        print(f"{name:20}{figures[name]:8.2f}   goal {words} {goal}: {'met' if met else 'MISSED'}")
    print(json.dumps({name: figures[name] for name in GOALS}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
