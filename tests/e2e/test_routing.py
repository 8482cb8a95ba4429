"""Which of its alerts reach which channel."""

from support.site import Site

ACCOUNT = "- {name: facefusion, credential: c, endpoint: PROVIDER/v1/balance, thresholds: {warning: 10, critical: 3}}"


def config(*channels: str) -> str:
    listed = "\n".join(f"  {channel}" for channel in channels)
    return f"defaults: {{interval: 0.2}}\naccounts:\n{ACCOUNT}\nchannels:\n{listed}\n"


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
