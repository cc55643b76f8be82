"""Compare claims and policies.

A policy has `policy_id` of a saved one or None, and `rules` as YouTube has them.
"""

from typing import Any

# The permission that the Content ID API needs. Importing its module would slow the API's first request down.
SCOPE = "https://www.googleapis.com/auth/youtubepartner"
CONTENT_TYPES = ("audio", "video", "audiovisual")


def is_same_policy(found: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Tell whether YouTube's policy is the wanted one, which has an id or rules, or both if it was read."""
    if wanted["rules"]:
        return _rules(found) == _rules(wanted)
    if wanted.get("policy_id"):
        return bool(found.get("policy_id") == wanted["policy_id"])
    return not found["rules"]


def find_difference(found: dict[str, Any], expected: dict[str, Any]) -> str | None:
    """Return in words what isn't as expected, None if all is."""
    policy = expected.get("policy")
    if policy is not None and not is_same_policy(found["policy"], policy):
        return f"The policy has been changed since: it is {describe(found['policy'])} now."
    return None


def describe(policy: dict[str, Any]) -> str:
    """Return a policy in words."""
    if not policy["rules"]:
        return f"the saved policy {policy['policy_id']}" if policy.get("policy_id") else "none"
    words = "; ".join(_describe_rule(rule) for rule in policy["rules"])
    return words[:300]


def _describe_rule(rule: dict[str, Any]) -> str:
    where = rule.get("conditions", {}).get("requiredTerritories")
    if not where:
        return f"{rule.get('action')} everywhere"
    kind = "outside of" if where.get("type") == "exclude" else "in"
    return f"{rule.get('action')} {kind} {', '.join(where.get('territories', []))}"


def _rules(policy: dict[str, Any]) -> list[dict[str, Any]]:
    """Return rules in a form that can be compared: the order of countries means nothing."""
    found = []
    for rule in policy["rules"]:
        conditions = dict(rule.get("conditions", {}))
        if "requiredTerritories" in conditions:
            where = conditions["requiredTerritories"]
            conditions["requiredTerritories"] = where | {"territories": sorted(where.get("territories", []))}
        found.append({"action": rule.get("action"), "conditions": conditions})
    return found
