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
        "Engine": f"{engine}/_ministack/health",
        "Emails that were sent": f"{address('PLATFORMS_PORT')}/mailbox",
        "PostgreSQL": (
            f"127.0.0.1:{PORTS['POSTGRES_PORT']}, database and user showrunner, "
            f"password in {HOME / 'postgres' / 'password'}"
        ),
        "Videos": str(HOME / "out"),
        "Logs": f"{stack.logs()}; those of functions and jobs in {HOME / 'logs' / 'functions'}",
        "Token": str(HOME / "keys" / "token"),
    }
    for name, value in rows.items():
        print(f"  {name:<22} {value}")
    print(f'\n  curl -H "Authorization: Bearer $(cat {HOME / "keys" / "token"})" {platform}/api/v1/videos')
