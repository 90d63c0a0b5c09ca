"""`plait features`: what the store of frozen encoders' outputs holds."""

import time
from datetime import UTC, datetime
from typing import Any

from plait import console
from plait.errors import RunError, unknown
from plait.features.store import StoreInfo, features_folder, prune, stores

DAY = 86_400


def describe_stores() -> list[dict[str, Any]]:
    """Name, encoder, rows, bytes and last use of each store, the latest first."""
    return [_described(info) for info, _ in stores()]


def _described(info: StoreInfo) -> dict[str, Any]:
    used = datetime.fromtimestamp(info.used, UTC).strftime("%Y-%m-%d %H:%M") if info.used else ""
    return {"name": info.name, "encoder": info.encoder, "rows": info.rows, "bytes": info.size, "used": used}


def show_stores(stores_found: list[dict[str, Any]]) -> None:
    """Print the list."""
    rows = [(r["name"], r["encoder"], r["rows"], f"{r['bytes'] / 1e6:,.1f}", r["used"]) for r in stores_found]
    console.show(console.table("", ["store", "encoder", "rows", "MB", "last used"], rows, ["rows", "MB"]))
    console.say(f"{len(stores_found)} stores in {features_folder()}")


def verify_stores() -> dict[str, int]:
    """Damaged rows of each store; a store that can't be read at all counts as one."""
    return {info.name: 1 if store is None else store.verify() for info, store in stores()}


def prune_stores(name: str | None, days: float) -> list[dict[str, Any]]:
    """Remove the store of a name, or those that were not used for so many days.

    Raises:
        RunError: there is no store of that name.
    """
    names = [info.name for info, _ in stores()]
    if name is not None and name not in names:
        raise RunError(unknown("store", name, names))
    return [_described(info) for info in prune(time.time() - days * DAY, None, name)]
