"""Which of its alerts reach which channel."""

import pytest

from support.site import Site

ACCOUNT = "- {name: facefusion, credential: c, endpoint: PROVIDER/v1/balance, thresholds: {warning: 10, critical: 3}}"


def config(*channels: str, named: str = "") -> str:
    """named: the channels of the account; empty: all."""
    own = f", channels: [{named}]}}" if named else "}"
    listed = "\n".join(f"  {channel}" for channel in channels)
    return f"defaults: {{interval: 0.2}}\naccounts:\n{ACCOUNT.removesuffix('}')}{own}\nchannels:\n{listed}\n"


def hook(name: str, more: str = "") -> str:
    return f"{name}: {{type: webhook, url: RECEIVER/{name}{more}}}"


def reasons(site: Site, count: int) -> dict[str, list[str]]:
    """The reasons that came to each channel, once there are so many."""
    found: dict[str, list[str]] = {}
    for request in site.receiver.wait_for(count):
        found.setdefault(request.path.strip("/"), []).append(request.json()["alert"]["reason"])
    assert len(site.receiver.requests) == count
    return found


def test_levels_and_states_choose_what_begins_and_its_end_follows_unless_send_resolved_is_off(site: Site) -> None:
    site.provider.says(5)
    chosen = (", levels: [critical]", ", states: [low]", ", states: [exhausted]", ", send_resolved: false")
    hooks = [hook(name, more) for name, more in zip(("critical", "low", "none", "open"), chosen, strict=True)]
    daemon = site.start(site.yaml(config(*hooks)))
    site.posted(2)
    site.provider.says(2)
    site.posted(4)
    site.provider.says(100)
    assert reasons(site, 6) == {
        "critical": ["escalated", "recovered"],
        "low": ["first", "recovered"],
        "open": ["first", "escalated"],
    }
    daemon.entry(msg="Token balance recovered")
    daemon.stop()
    assert len(site.receiver.requests) == 6


def test_an_end_reaches_a_channel_that_the_account_names_no_more_and_none_that_it_only_names_since(site: Site) -> None:
    site.provider.says(5)
    hooks = hook("before"), hook("since"), hook("never")
    daemon = site.start(site.yaml(config(*hooks, named="before"))).watching()
    site.posted(1)
    daemon.stop()
    daemon = site.start(site.yaml(config(*hooks, named="since"))).watching()
    site.provider.says(100)
    daemon.entry(msg="Token balance recovered")
    assert reasons(site, 2) == {"before": ["first", "recovered"]}
    daemon.stop()
    assert len(site.receiver.requests) == 2


@pytest.mark.parametrize("told", [True, False], ids=["told", "owed"])
def test_an_end_awaits_a_channel_that_left_the_settings_for_less_than_a_day(site: Site, told: bool) -> None:
    site.provider.says(5)
    if not told:
        site.receiver.answer(503)
    hooks = hook("away"), hook("here")
    daemon = site.start(site.yaml(config(*hooks))).watching()
    site.receiver.wait_for(2)
    daemon.stop()
    site.receiver.requests.clear()
    site.receiver.answer(200)
    daemon = site.start(site.yaml(config(hooks[1]))).watching()
    site.provider.says(100)
    daemon.entry(msg="Token balance recovered")
    site.receiver.wait_for(1 if told else 2)
    daemon.stop()
    assert {request.path for request in site.receiver.requests} == {"/here"}
    site.receiver.requests.clear()
    daemon = site.start(site.yaml(config(*hooks))).watching()
    assert reasons(site, 1 if told else 2) == {"away": ["recovered"] if told else ["first", "recovered"]}
    daemon.stop()
