"""`make orphans STAGE=dev`: list objects that no row owns, and rows whose objects are missing.

Nothing is deleted: what the list shows is a fault of ours, and a person decides.
"""

from local.stages.stage import Stage

# The function's own limit.
TIMEOUT_S = 300
TITLES = {
    "objects": "objects that no row owns",
    "assets": "files of assets that are missing",
    "videos": "files of videos that are missing",
}


def list_orphans(stage: Stage) -> int:
    """Print what is found, kind by kind. Returns 1 if anything is."""
    total = 0
    for kind, title in TITLES.items():
        checked, count, after = 0, 0, ""
        while True:
            event = {"orphans": kind, "after": after}
            answer = stage.invoke(stage.application_stack, "RetentionFunction", event, TIMEOUT_S)
            checked, count = checked + answer["checked"], count + len(answer["found"])
            for key in answer["found"]:
                print(f"  {key}", flush=True)
            if answer["next"] is None:
                break
            after = answer["next"]
        print(f"{count} {title}; {checked} checked", flush=True)
        total += count
    return 1 if total else 0
