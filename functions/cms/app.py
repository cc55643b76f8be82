"""Platform API: /api/v1/cms -> reports of content owners and the rows that they have (showrunner/rights)."""

from showrunner.rights import drops
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

handler = application.handler(app)
