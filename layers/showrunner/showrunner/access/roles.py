"""Roles and what they may do.

A route names one permission; a role, a service token or an API key grants some.
"""

# `<area>:all` grants every permission of the area, `*` every one there is.
ROLES: dict[str, frozenset[str]] = {
    "admin": frozenset({"*"}),
    "user": frozenset(
        {
            "channels:read",
            "channels:write",
            "videos:all",
            "artists:all",
            "analytics:read",
            "webhooks:all",
            "account:all",
            "organisation:read",
            "live:read",
        }
    ),
    "viewer": frozenset(
        {
            "channels:read",
            "videos:read",
            "artists:read",
            "analytics:read",
            "account:all",
            "organisation:read",
            "live:read",
        }
    ),
}
# What an organisation's own admin may do beside what every user may: its members and its machines.
OWNER = frozenset({"organisation:write", "tokens:all"})
# Only in the organisation of a content owner.
CONTENT_OWNER = frozenset({"cms:all"})
# Only while the maker of the token is a platform admin.
PLATFORM_ADMIN = frozenset({"internal:all"})

# Every scope that a service token may carry. Accounts are people's: no machine changes a password.
SCOPES = (
    "channels:read",
    "channels:write",
    "videos:read",
    "videos:write",
    "videos:publish",
    "videos:all",
    "artists:read",
    "artists:write",
    "artists:all",
    "analytics:read",
    "analytics:write",
    "webhooks:read",
    "webhooks:write",
    "webhooks:all",
    "cms:read",
    "cms:write",
    "cms:all",
    "live:read",
    "internal:all",
)

PUBLIC = "public"


def allows(granted: frozenset[str], permission: str) -> bool:
    """Return whether the granted permissions include the one that a route requires."""
    return permission in granted or f"{permission.partition(':')[0]}:all" in granted or "*" in granted


def of_service(scopes: frozenset[str], *, content_owner: bool, platform_admin: bool) -> frozenset[str]:
    """Return the scopes of a service token that are valid now.

    Those of content owners count only while its organisation is one, those of platform admins only while its
    creator is one.
    """
    lost = (frozenset() if content_owner else CONTENT_OWNER) | (
        frozenset() if platform_admin else PLATFORM_ADMIN
    )
    areas = {permission.partition(":")[0] for permission in lost}
    return frozenset(scope for scope in scopes if scope.partition(":")[0] not in areas)


def of_user(role: str, *, owner: bool = False, content_owner: bool = False) -> frozenset[str]:
    """Return a member's permissions. A role that this version doesn't know has none."""
    granted = ROLES.get(role, frozenset())
    if owner and role != "viewer":
        granted |= OWNER
    if content_owner and role == "user":
        granted |= CONTENT_OWNER
    return granted
