"""What a channel would silently ignore is a mistake in the settings."""

from pathlib import Path

import pytest

from support.messages import low
from support.zones import without_zones
from token_monitor.app.registry import REGISTRY
from token_monitor.config.load import load
from token_monitor.config.problems import ConfigError
from token_monitor.config.settings import Settings

ALERTMANAGER = "type: alertmanager, url: http://am:9093"
TICKETS = "type: template, url: https://tickets.example/api, close: {url: https://tickets.example/api/close}"
HOURS = 'quiet_hours: {start: "22:00", end: "08:00"}'


def loaded(folder: Path, channel: str) -> Settings:
    file = folder / "tm.yaml"
    file.write_text(f"accounts: [{{name: a, credential: the-credential}}]\nchannels: {{c: {{{channel}}}}}\n")
    return load({"HOME": "/nowhere", "TOKEN_MONITOR_CONFIG": str(file)}, folder, REGISTRY)


@pytest.mark.parametrize(
    ("channel", "line"),
    [
        (f"{ALERTMANAGER}, {HOURS}", "quiet_hours at an alertmanager; its own time intervals and silences"),
        (f"{ALERTMANAGER}, send_resolved: false", "send_resolved: false at an alertmanager; that of its receivers"),
        (f"{TICKETS}, send_resolved: false", "close with send_resolved: false; one of the two"),
        (
            "type: webhook, url: https://h.example/x, states: [low], levels: [critical]",
            "levels critical with states low, which no alert has; low is a warning, every other state critical; "
            "visibility is an error, of state critical",
        ),
    ],
)  # fmt: skip
def test_an_option_without_effect_is_refused(tmp_path: Path, channel: str, line: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, channel)
    assert str(caught.value) == f"channels.c: {line}"


@pytest.mark.parametrize(
    "channel", [f"{ALERTMANAGER}, send_resolved: true, kinds: [credential]", f"{TICKETS}, {HOURS}"]
)
def test_an_option_with_an_effect_is_taken(tmp_path: Path, channel: str) -> None:
    assert loaded(tmp_path, channel).channels["c"].type in channel


@pytest.mark.parametrize(
    ("kinds", "taken"), [("", True), (", kinds: [credential]", False), (", kinds: [account, visibility]", True)]
)
def test_a_channel_may_be_for_some_kinds_of_alert(tmp_path: Path, kinds: str, taken: bool) -> None:
    settings = loaded(tmp_path, f"type: webhook, url: https://h.example/x{kinds}")
    assert settings.channels["c"].route.takes(low().alert) is taken


def test_quiet_hours_are_refused_where_there_is_not_even_the_zone_that_they_have_by_default(tmp_path: Path) -> None:
    with without_zones(package=False), pytest.raises(ConfigError) as caught:
        loaded(tmp_path, f"type: webhook, url: https://h.example/x, {HOURS}")
    line = "time zone UTC, which neither the system nor the package tzdata has"
    assert str(caught.value) == f"channels.c.quiet_hours: {line}"
