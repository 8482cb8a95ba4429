"""What a change of credential does to the judge's memory and says to people (rule J13)."""

import hashlib
from collections.abc import Mapping

from token_monitor.core.alert import Alert, Switch
from token_monitor.core.judge import Subject, SubjectState, close
from token_monitor.core.time import Now
from token_monitor.core.words import Kind, Reason, State


def leave(
    switch: Switch, subjects: Mapping[Subject, SubjectState], now: Now
) -> tuple[dict[Subject, SubjectState], list[Alert]]:
    """What changes of `subjects` when their account leaves a credential, and the alerts: the switch, then closings.

    The episodes of the credential that is left end with it; its numbers and stamps stay, for the day it is used again.
    """
    changed: dict[Subject, SubjectState] = {}
    alerts = [_announcement(switch, now)]
    for subject, state in subjects.items():
        if subject.label == switch.origin and subject.kind is not Kind.VISIBILITY and state.standing.episode:
            changed[subject], closing = close(subject, state, Reason.CREDENTIAL_SWITCHED, now)
            if closing is not None:
                alerts.append(closing)
    return changed, alerts


def _announcement(switch: Switch, now: Now) -> Alert:
    """A switch happens and is over: an episode of one alert, which nothing closes."""
    subject = Subject(Kind.CREDENTIAL, switch.account, label=switch.target)
    seed = "\0".join(("switch", switch.origin, subject.seed(now.steady)))
    episode = hashlib.blake2b(seed.encode(), digest_size=8).hexdigest()
    return Alert(
        id=f"{episode}-1",
        kind=Kind.CREDENTIAL,
        subject=subject.name,
        account=switch.account,
        state=State.LOW,
        reason=Reason.FIRST,
        episode=episode,
        at=now.wall,
        label=switch.target,
        switch=switch,
    )
