"""Platform API: /api/v1/cms -> reports of content owners, and search in their rows (showrunner/rights)."""

from showrunner.rights import catalogue, drops, searches
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
app.include(searches.routes, "/api/v1/cms/searches", "/api/v1/cms/searches/{search_id}")

handler = application.handler(app)
