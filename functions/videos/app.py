"""Platform API: /api/v1/videos, /api/v1/voices -> video rows, executions of the production, signed links.

Each module in showrunner/videos declares its routes beside their handlers. The table below says which module
serves which path.
"""

from showrunner.videos import approval, attempts, details, editing, orders, publish_orders, remakes, scripts
from showrunner.web import application
from showrunner.web.application import Application

VIDEOS, VIDEO = "/api/v1/videos", "/api/v1/videos/{video_id}"

app = Application("videos")
app.include(
    orders.routes,
    f"{VIDEOS}/generate",
    f"{VIDEOS}/generate/batch",
    f"{VIDEOS}/estimate",
    "/api/v1/voices",
)
app.include(details.routes, VIDEOS, VIDEO, f"{VIDEO}/status", f"{VIDEO}/cost", f"{VIDEO}/download")
app.include(editing.routes, VIDEO)
app.include(publish_orders.routes, f"{VIDEO}/publish")
app.include(approval.routes, f"{VIDEO}/approve", f"{VIDEO}/reject")
app.include(attempts.routes, f"{VIDEOS}/retry", f"{VIDEO}/retry", f"{VIDEO}/continue", f"{VIDEO}/cancel")
app.include(scripts.routes, f"{VIDEO}/script", f"{VIDEO}/transcript", f"{VIDEO}/sources")
app.include(
    remakes.routes,
    f"{VIDEO}/scenes/{{scene}}",
    f"{VIDEO}/scenes/{{scene}}/shots/{{shot}}/replace",
    f"{VIDEO}/remake",
)

handler = application.handler(app)
