"""The peer: the same two routes by FastAPI, SQLAlchemy's ORM and psycopg.

Once bare, and once with the work that ours does around a request.
"""

import asyncio
import datetime
import decimal
import hashlib
import json
import logging
import re
import uuid
from collections import Counter
from collections.abc import Callable
from typing import Annotated, Any

import jwt
import sqlalchemy as sa
from fastapi import Depends, FastAPI, Header, HTTPException, Query, Request, Response
from pydantic import BaseModel, ConfigDict
from sqlalchemy import orm

from showrunner.access import limits, tokens
from showrunner.store.access import windows
from showrunner.web.answers import SECURITY_HEADERS

logger = logging.getLogger("twin")
logger.setLevel(logging.INFO)
logger.propagate = False
logger.addHandler(logging.StreamHandler(open("/dev/null", "w")))  # noqa: SIM115, PTH123 - open as long as the process


class Base(orm.DeclarativeBase):
    pass


class VideoRow(Base):
    __tablename__ = "videos"
    __table_args__ = {"schema": "studio"}  # noqa: RUF012
    id: orm.Mapped[uuid.UUID] = orm.mapped_column(primary_key=True)
    organisation_id: orm.Mapped[uuid.UUID]
    channel_id: orm.Mapped[uuid.UUID]
    status: orm.Mapped[str]
    title: orm.Mapped[str | None]
    description: orm.Mapped[str | None]
    tags: orm.Mapped[list[str]] = orm.mapped_column(sa.ARRAY(sa.Text))
    priority: orm.Mapped[int]
    attempt: orm.Mapped[int]
    progress: orm.Mapped[int]
    current_step: orm.Mapped[str | None]
    error: orm.Mapped[dict | None] = orm.mapped_column(sa.JSON)
    request: orm.Mapped[dict] = orm.mapped_column(sa.JSON)
    product: orm.Mapped[dict] = orm.mapped_column(sa.JSON)
    duration_seconds: orm.Mapped[decimal.Decimal | None]
    demo: orm.Mapped[bool]
    created_at: orm.Mapped[datetime.datetime]
    updated_at: orm.Mapped[datetime.datetime]
    completed_at: orm.Mapped[datetime.datetime | None]
    deleted_at: orm.Mapped[datetime.datetime | None]


class LogRow(Base):
    __tablename__ = "video_log"
    __table_args__ = {"schema": "studio"}  # noqa: RUF012
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    video_id: orm.Mapped[uuid.UUID]
    attempt: orm.Mapped[int]
    at: orm.Mapped[datetime.datetime]
    step: orm.Mapped[str]
    level: orm.Mapped[str]
    message: orm.Mapped[str]


class CostRow(Base):
    __tablename__ = "costs"
    __table_args__ = {"schema": "ledger"}  # noqa: RUF012
    video_id: orm.Mapped[uuid.UUID] = orm.mapped_column(primary_key=True)
    charge: orm.Mapped[str] = orm.mapped_column(primary_key=True)
    step: orm.Mapped[str]
    amount_usd: orm.Mapped[decimal.Decimal]
    list_price_only: orm.Mapped[bool]


class Summary(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: uuid.UUID
    channel_id: uuid.UUID
    status: str
    title: str | None
    priority: int
    attempt: int
    progress: int
    current_step: str | None
    error: dict | None
    duration_seconds: float | None
    demo: bool
    created_at: datetime.datetime
    updated_at: datetime.datetime
    completed_at: datetime.datetime | None


class Video(Summary):
    description: str | None
    tags: list[str]
    request: dict
    product: dict


class Line(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    at: datetime.datetime
    attempt: int
    step: str
    level: str
    message: str


class Whole(BaseModel):
    video: Video
    processing_logs: list[Line]
    costs: dict[str, Any]


class Page(BaseModel):
    videos: list[Summary]
    pagination: dict[str, Any]


def make(  # noqa: C901 - the routes of one application, as FastAPI has them
    url: str, key: dict[str, str], organisation_id: str
) -> Callable[[str, str, str | None], tuple[int, bytes]]:
    """call(path, query, token) -> (status, body), in process over ASGI."""
    engine = sa.create_engine(url, pool_size=4)
    # The same statement as ours, since the work is to be the same; SQLAlchemy reads no cast behind a
    # parameter.
    sql = sa.text(re.sub(r":(\w+)::(\w+(\[\])?)", r"CAST(:\1 AS \2)", windows._ADMIT))
    app = FastAPI()
    public = tokens.public_key(key)
    counts: Counter[str] = Counter()

    @app.get("/bare/videos/{video_id}")
    def bare_one(video_id: uuid.UUID) -> Video:
        with orm.Session(engine) as session:
            row = session.get(VideoRow, video_id)
            if row is None:
                raise HTTPException(404)
            return Video.model_validate(row)

    @app.get("/bare/videos")
    def bare_list(limit: int = 50) -> Page:
        with orm.Session(engine) as session:
            return _page(session, uuid.UUID(organisation_id), limit, total=False)

    def caller(request: Request, authorization: Annotated[str, Header()]) -> dict[str, Any]:
        claims = jwt.decode(
            authorization.removeprefix("Bearer "),
            public,
            algorithms=["RS256"],
            audience="showrunner",
            issuer="http://127.0.0.1:8000",
        )
        if "videos:all" not in claims["scope"]:
            raise HTTPException(403)
        windows = limits.windows(f"twin:{claims['sub']}", limits.USER)
        with orm.Session(engine) as session:
            # A service made by nobody in particular; whatever else the statement asks about a person is
            # unknown of it.
            who = limits._who(None) | {"token_id": claims["jti"], "organisation_id": claims["org"]}
            rows = session.execute(sql, {**who, **limits._columns(windows, 1)}).mappings().all()
            session.commit()
        if not rows[0]["live"]:
            raise HTTPException(401)
        standing = limits._standing([dict(row) for row in rows])
        request.state.standing = standing
        return claims

    @app.middleware("http")
    async def around(request: Request, call_next: Any) -> Response:
        response = await call_next(request)
        if not request.url.path.startswith("/full"):
            return response
        body = b"".join([chunk async for chunk in response.body_iterator])
        headers = {**dict(response.headers), **SECURITY_HEADERS, "x-request-id": str(uuid.uuid4())}
        headers["etag"] = f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
        limit, remaining, reset = request.state.standing
        headers |= {
            "ratelimit-limit": str(limit),
            "ratelimit-remaining": str(remaining),
            "ratelimit-reset": str(reset),
        }
        counts[f"{response.status_code}"] += 1
        logger.info(
            json.dumps(
                {
                    "path": request.url.path,
                    "status": response.status_code,
                    "request_id": headers["x-request-id"],
                }
            )
        )
        return Response(body, response.status_code, headers)

    @app.get("/full/videos/{video_id}")
    def full_one(video_id: uuid.UUID, claims: Annotated[dict, Depends(caller)]) -> Whole:
        with orm.Session(engine) as session:
            where = (
                VideoRow.id == video_id,
                VideoRow.organisation_id == uuid.UUID(claims["org"]),
                VideoRow.deleted_at.is_(None),
            )
            row = session.scalar(sa.select(VideoRow).where(*where))
            if row is None:
                raise HTTPException(404)
            lines = session.scalars(
                sa.select(LogRow).where(LogRow.video_id == video_id).order_by(LogRow.id.desc()).limit(200)
            ).all()
            costs = session.scalars(sa.select(CostRow).where(CostRow.video_id == video_id)).all()
            steps = {
                step: str(sum((each.amount_usd for each in costs if each.step == step), decimal.Decimal(0)))
                for step in ("script", "voice", "render")
            }
            response = {
                "currency": "USD",
                "total_usd": str(sum(each.amount_usd for each in costs)),
                "breakdown": steps,
            }
            return Whole(
                video=Video.model_validate(row),
                processing_logs=[Line.model_validate(line) for line in reversed(lines)],
                costs=response,
            )

    @app.get("/full/videos")
    def full_list(
        claims: Annotated[dict, Depends(caller)], limit: Annotated[int, Query(ge=1, le=100)] = 50
    ) -> Page:
        with orm.Session(engine) as session:
            return _page(session, uuid.UUID(claims["org"]), limit, total=True)

    loop = asyncio.new_event_loop()

    def call(path: str, query: str = "", token: str | None = None) -> tuple[int, bytes]:
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        headers = [(b"host", b"h")] + ([(b"authorization", f"Bearer {token}".encode())] if token else [])
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
        }
        scope |= {
            "query_string": query.encode(),
            "headers": headers,
            "client": ("192.0.2.1", 1),
            "server": ("h", 80),
        }
        loop.run_until_complete(app(scope, receive, send))
        return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])

    return call


def _page(session: orm.Session, organisation_id: uuid.UUID, limit: int, *, total: bool) -> Page:
    where = VideoRow.organisation_id == organisation_id, VideoRow.deleted_at.is_(None)
    rows = session.scalars(
        sa.select(VideoRow)
        .where(*where)
        .order_by(VideoRow.created_at.desc(), VideoRow.id.desc())
        .limit(limit + 1)
    ).all()
    counted = (
        session.scalar(
            sa.select(sa.func.count()).select_from(
                sa.select(sa.literal(1)).select_from(VideoRow).where(*where).limit(10_001).subquery()
            )
        )
        if total
        else 0
    )
    return Page(
        videos=[Summary.model_validate(row) for row in rows[:limit]],
        pagination={"limit": limit, "total": counted},
    )
