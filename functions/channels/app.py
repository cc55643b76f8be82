"""Platform API: /api/v1/channels -> the channels that an organisation runs (showrunner/channels)."""

from showrunner.channels import backlog, calendar, management, youtube
from showrunner.web import application
from showrunner.web.application import Application

app = Application("channels")
app.include(management.routes, "/api/v1/channels", "/api/v1/channels/{channel_id}")
app.include(
    calendar.routes,
    "/api/v1/channels/{channel_id}/calendar",
    "/api/v1/channels/{channel_id}/calendar/{slot_id}/skip",
    "/api/v1/channels/{channel_id}/pause",
    "/api/v1/channels/{channel_id}/resume",
)
app.include(backlog.routes, "/api/v1/channels/{channel_id}/topics")
app.include(
    youtube.routes,
    "/api/v1/channels/{channel_id}/connect-youtube",
    "/api/v1/channels/{channel_id}/sync",
)

handler = application.handler(app)
