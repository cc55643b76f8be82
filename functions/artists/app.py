"""Platform API: /api/v1/artists -> the artists whose figures an organisation follows (showrunner/artists)."""

from showrunner.artists import figures, management, roster
from showrunner.web import application
from showrunner.web.application import Application

app = Application("artists")
app.include(management.routes, "/api/v1/artists", "/api/v1/artists/{artist_id}")
app.include(roster.routes, "/api/v1/artists/import")
app.include(figures.routes, "/api/v1/artists/{artist_id}/metrics", "/api/v1/artists/{artist_id}/refresh")

handler = application.handler(app)
