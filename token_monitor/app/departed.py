"""Accounts, quantities and credentials that are no longer in the settings: their episodes are closed (rule J9)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from token_monitor.core.alert import Alert
from token_monitor.core.judge import Subject, close
from token_monitor.core.message import Message
from token_monitor.core.ports import Change, StateStore
from token_monitor.core.texts import text
from token_monitor.core.time import Now
from token_monitor.core.words import EVERY, Kind, Reason
from token_monitor.watch import Watch

STAMPS_KEPT: Final = 7 * 86400.0


def close_departed(
    watches: Mapping[str, Watch], store: StateStore, now: Now, route: Callable[[Alert], Sequence[str]]
) -> None:
    """Close the episodes that nothing stands for any more.

    watches: by account. route: the channels that were told of the episode that an alert ends, and take the end.
    """
    language = next(iter(watches.values())).language  # of a removed account it is not known any more
    for subject, state in store.subjects().items():
        watch = watches.get(subject.account)
        if state.standing.episode is None or (watch is not None and _stays(subject, watch)):
            continue
        reason = _reason(subject, watch)
        after, alert = close(subject, state, reason, now)
        messages = [] if alert is None else [(Message(alert, text(alert, language)), route(alert))]
        store.commit(Change(subject.account, {subject: after}, messages=messages), now.steady)
    store.forget(watches, now.steady - STAMPS_KEPT)


def _reason(subject: Subject, watch: Watch | None) -> Reason:
    if watch is None:
        return Reason.ACCOUNT_REMOVED
    left = subject.label != EVERY and subject.label not in watch.credentials
    return Reason.CREDENTIAL_SWITCHED if left else Reason.RULE_CHANGED


def _stays(subject: Subject, watch: Watch) -> bool:
    known = subject.kind is not Kind.ACCOUNT or subject.quantity in watch.rules
    return known and (subject.label in watch.credentials or (subject.label == EVERY and bool(watch.spares)))
