"""Google projects: the stage's own, and those that organisations bring with their client and quota.

YouTube's terms forbid to get around a quota with several projects. So a call counts for the project whose
client made the connection, and a project that is spent waits, whatever another one has left.
"""

from showrunner import quotas
from showrunner.database import db
from showrunner.quotas import Project
from showrunner.store.accounts import google_projects


def of_connection(tx: db.Transaction, connection_id: str | None) -> Project:
    """Return the project that calls with this connection count for."""
    found = google_projects.find_of_connection(tx, connection_id)
    if found is None:
        return quotas.STAGE
    return quotas.own_project(found["organisation_id"], found["units_a_day"], found["inserts_a_day"])
