"""Platform API: health, documentation, keys and administration -> what admins see and change.

Also API Gateway's $default route: it answers unknown paths with 404 and wrong methods with 405. Each module
in showrunner/admin declares its routes beside their handlers. The table below says which module serves which
path.
"""

from pathlib import Path

from showrunner.admin import backups, emails, keys, monitoring, operations, pages, people
from showrunner.web import application, docs
from showrunner.web.application import Application

ADMIN = "/api/v1/admin"

app = docs.serve(Application("admin"), Path(__file__).with_name("openapi.json"))
app.include(
    monitoring.routes,
    "/.well-known/jwks.json",
    f"{ADMIN}/health",
    f"{ADMIN}/system/health",
    f"{ADMIN}/metrics",
    f"{ADMIN}/system/metrics",
    f"{ADMIN}/quotas",
)
app.include(
    people.routes,
    f"{ADMIN}/users",
    f"{ADMIN}/users/{{user_id}}/impersonate",
    f"{ADMIN}/users/{{user_id}}/suspend",
    f"{ADMIN}/users/{{user_id}}/restore",
    f"{ADMIN}/users/{{user_id}}/promote",
    f"{ADMIN}/users/{{user_id}}/demote",
    f"{ADMIN}/organisations/{{organisation_id}}/suspend",
    f"{ADMIN}/organisations/{{organisation_id}}/restore",
    f"{ADMIN}/organisations/{{organisation_id}}/limits",
    f"{ADMIN}/organisations/{{organisation_id}}/content-owner",
    f"{ADMIN}/organisations/{{organisation_id}}/voices",
    f"{ADMIN}/organisations/{{organisation_id}}/google-project",
)
app.include(
    keys.routes,
    f"{ADMIN}/keys",
    f"{ADMIN}/keys/{{service}}/{{name}}/rotate",
    f"{ADMIN}/keys/{{service}}/{{name}}/rollback",
    f"{ADMIN}/keys/{{service}}/{{name}}/revoke",
)
app.include(backups.routes, "/api/v1/backups", "/api/v1/backups/{backup_id}/restore")
app.include(emails.routes, f"{ADMIN}/emails/suppressed")
app.include(operations.routes, f"{ADMIN}/maintenance", f"{ADMIN}/audit")
app.include(pages.routes, "/verify", "/reset", "/invitation", "/unsubscribe", "/pages/{file}")

handler = application.handler(app)
