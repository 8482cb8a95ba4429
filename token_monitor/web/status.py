"""What the status and health paths answer, as JSON-able objects. Decimals stay Decimals (`number.to_json`)."""

from datetime import datetime

from token_monitor.core.alert import Switch
from token_monitor.core.time import rfc3339
from token_monitor.core.view import AccountView, QuantityView, Snapshot, entry


def status(snapshot: Snapshot, version: str) -> dict[str, object]:
    """`/api/v1/status`: everything, one object per quantity of an account, with the facts of its account."""
    return {
        "version": version,
        "ready": snapshot.ready,
        "durable": snapshot.durable,
        "problems": list(snapshot.problems),
        "accounts": [_entry(account, view) for account in snapshot.accounts for view in account.quantities],
        "episodes": [
            {"account": account.name, "subject": subject, "episode": episode}
            for account in snapshot.accounts
            for subject, episode in account.episodes.items()
        ],
        "switches": [_switch(switch) for switch in snapshot.switches],
        "channels": [
            {"name": name, "pending": backlog.pending, "dead": backlog.dead, "last_error": backlog.last_error}
            for name, backlog in snapshot.backlogs.items()
        ],
    }


def health(snapshot: Snapshot) -> tuple[bool, dict[str, object]]:
    """`/healthz`: whether the daemon does its work, and if not, why. A provider's outage is not its fault."""
    well = not snapshot.problems
    return well, {"status": "ok" if well else "unhealthy", "problems": list(snapshot.problems)}


def readiness(snapshot: Snapshot) -> tuple[bool, dict[str, object]]:
    """`/readyz`: whether every account was tried once, and which were not."""
    waiting = [account.name for account in snapshot.accounts if not account.tried]
    return snapshot.ready, {"status": "ready" if snapshot.ready else "waiting", "waiting": waiting}


def _entry(account: AccountView, view: QuantityView) -> dict[str, object]:
    return entry(view) | {
        "episode": view.episode,
        "runway_seconds": view.runway,
        "reset_at": _moment(view.reset_at),
        "at": _moment(view.read_at),
        "tried": account.tried,
        "failures": account.failures,
        "silent": account.silent,
        "credential": account.credential.value,
        "credential_label": account.credential_label,
        "credentials_shared": [list(pair) for pair in account.shared],
        "last_success": _moment(account.last_success),
    }


def _switch(switch: Switch) -> dict[str, object]:
    return {
        "at": rfc3339(switch.at),
        "account": switch.account,
        "from": switch.origin,
        "to": switch.target,
        "why": switch.why.value,
        "dry_run": switch.dry_run,
    }


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else rfc3339(moment)
