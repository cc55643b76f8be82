"""`make open`: print all addresses and a token. Opens nothing by itself."""

from local import access, stack
from local.deploy import token
from local.settings import HOME, PORTS, Refused, address


def show() -> None:
    if stack.supervisor.find("gateway") is None:
        raise Refused("the local stack isn't running; start it with make up (or make run)")
    platform, ingestion, engine = address("PLATFORM_PORT"), address("INGESTION_PORT"), address("ENGINE_PORT")
    access.write_closed(HOME / "keys" / "token", token())
    rows = {
        "Platform API": f"{platform}/api/v1",
        "  its documentation": f"{platform}/docs",
        "  its OpenAPI document": f"{platform}/openapi.json",
        "Ingestion API": f"{ingestion}/api/v1 (X-API-Key: {HOME / 'keys' / 'ingestion'})",
        "Live (WebSocket)": address("LIVE_PORT").replace("http", "ws", 1),
        # MiniStack has no page of its own; these two show its state.
        "Engine": f"{engine}/_ministack/health",
        "  mails it was given": f"{engine}/_ministack/ses/messages",
        "PostgreSQL": (
            f"127.0.0.1:{PORTS['POSTGRES_PORT']}, database and user showrunner, "
            f"password in {HOME / 'postgres' / 'password'}"
        ),
        "Videos": str(HOME / "out"),
        "Logs": str(stack.logs()),
        "Token": str(HOME / "keys" / "token"),
    }
    for name, value in rows.items():
        print(f"  {name:<22} {value}")
    print(f'\n  curl -H "Authorization: Bearer $(cat {HOME / "keys" / "token"})" {platform}/api/v1/videos')
