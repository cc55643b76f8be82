"""Platform API: people, organisations and credentials -> accounts, logins and Live tickets.

Each module in showrunner/accounts declares its routes beside their handlers. The table below says which
module serves which path; a wrong table fails at start.
"""

from showrunner.accounts import (
    connect_youtube,
    google,
    keys,
    linked_accounts,
    live_tickets,
    login,
    notifications,
    organisations,
    profile,
    recovery,
    registration,
    second_factor,
)
from showrunner.web import application
from showrunner.web.application import Application

AUTH, ME, ORGANISATION = "/api/v1/auth", "/api/v1/users/me", "/api/v1/organisations/{organisation_id}"

app = Application("accounts")
app.include(registration.routes, f"{AUTH}/register", f"{AUTH}/verify")
app.include(recovery.routes, f"{AUTH}/password/forgot", f"{AUTH}/password/reset")
app.include(login.routes, f"{AUTH}/login", f"{AUTH}/refresh", f"{AUTH}/logout")
app.include(google.routes, f"{AUTH}/oauth/google/start", f"{AUTH}/oauth/google")
app.include(connect_youtube.routes, f"{AUTH}/oauth/youtube/start", f"{AUTH}/oauth/youtube")
app.include(linked_accounts.routes, f"{AUTH}/connections", f"{AUTH}/connections/{{connection_id}}")
app.include(second_factor.routes, f"{AUTH}/mfa", f"{AUTH}/mfa/confirm")
app.include(
    keys.routes,
    f"{AUTH}/api-keys",
    f"{AUTH}/api-keys/{{key_id}}",
    f"{AUTH}/api-keys/{{key_id}}/rotate",
    f"{AUTH}/service-tokens",
    f"{AUTH}/service-tokens/{{token_id}}",
)
app.include(notifications.routes, f"{ME}/notifications", f"{AUTH}/unsubscribe")
app.include(profile.routes, ME, f"{ME}/export", f"{ME}/usage", f"{ME}/billing")
app.include(
    organisations.routes,
    ORGANISATION,
    f"{ORGANISATION}/transfer",
    f"{ORGANISATION}/members",
    f"{ORGANISATION}/members/{{user_id}}",
)
app.include(live_tickets.routes, "/api/v1/live/tickets")

handler = application.handler(app)
