"""Platform API: /api/v1/cms -> reports of content owners, and search in their rows (showrunner/rights)."""

from showrunner.rights import catalogue, changes, claims, drops, money, partner_reading, searches, streams
from showrunner.web import application
from showrunner.web.application import Application

app = Application("cms")
app.include(
    drops.routes,
    "/api/v1/cms/reports",
    "/api/v1/cms/reports/{report_id}",
    "/api/v1/cms/reports/{report_id}/rejects",
    "/api/v1/cms/reports/{report_id}/confirm",
)
app.include(
    catalogue.routes,
    "/api/v1/cms/videos",
    "/api/v1/cms/videos/{video}",
    "/api/v1/cms/assets",
    "/api/v1/cms/claims",
    "/api/v1/cms/conflicts",
)
app.include(
    changes.routes,
    "/api/v1/cms/videos/{video}",
    "/api/v1/cms/videos/{video}/sync",
    "/api/v1/cms/syncs",
    "/api/v1/cms/changes",
    "/api/v1/cms/changes/{change_set_id}",
    "/api/v1/cms/changes/{change_set_id}/rows",
    "/api/v1/cms/changes/{change_set_id}/approve",
    "/api/v1/cms/changes/{change_set_id}/run",
    "/api/v1/cms/changes/{change_set_id}/stop",
    "/api/v1/cms/changes/{change_set_id}/undo",
)
app.include(
    claims.routes,
    "/api/v1/cms/videos/{video}/claims",
    "/api/v1/cms/videos/{video}/policy",
    "/api/v1/cms/channels/{channel}",
)
app.include(money.routes, "/api/v1/cms/money", "/api/v1/cms/money/csv")
app.include(
    partner_reading.routes,
    "/api/v1/cms/assets/search",
    "/api/v1/cms/assets/{asset}/ownership",
    "/api/v1/cms/policies",
)
app.include(streams.routes, "/api/v1/cms/streams")
app.include(searches.routes, "/api/v1/cms/searches", "/api/v1/cms/searches/{search_id}")

handler = application.handler(app)
