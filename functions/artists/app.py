"""Platform API: /api/v1/artists -> the artists whose figures an organisation follows (showrunner/artists)."""

from showrunner.artists import connections, figures, management, roster
from showrunner.web import application
from showrunner.web.application import Application

app = Application("artists")
app.include(management.routes, "/api/v1/artists", "/api/v1/artists/{artist_id}")
app.include(roster.routes, "/api/v1/artists/import")
app.include(
    connections.routes,
    "/api/v1/artists/{artist_id}/accounts/{platform}",
    "/api/v1/artists/{artist_id}/accounts/{platform}/connect",
    "/api/v1/artists/{artist_id}/accounts/{platform}/callback",
)
app.include(
    figures.routes,
    "/api/v1/artists/{artist_id}/metrics",
    "/api/v1/artists/{artist_id}/items",
    "/api/v1/artists/{artist_id}/refresh",
)

handler = application.handler(app)
