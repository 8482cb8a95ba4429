"""Which alerts a channel takes, and when."""

from datetime import UTC, datetime
from typing import Any

import pytest
from attrs import evolve

from support.messages import low
from support.zones import without_zones
from token_monitor.core.alert import ANNOUNCED, level
from token_monitor.core.routing import QuietHours, Route, Zone, ZonedTime
from token_monitor.core.words import Kind, Level, Reason, State


def night(start: str = "22:00", end: str = "08:00", zone: str = "Asia/Shanghai") -> QuietHours:
    return QuietHours(ZonedTime.parse(start), ZonedTime.parse(end), Zone.parse(zone))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("wall", "since"),
    [
        ("2026-04-05T13:59", None),  # 21:59 in Shanghai
        ("2026-04-05T14:00", "2026-04-05T14:00"),
        ("2026-04-05T16:00", "2026-04-05T14:00"),  # midnight there
        ("2026-04-05T23:59", "2026-04-05T14:00"),  # 07:59 the next day
        ("2026-04-06T00:00", None),
    ],
)
def test_quiet_hours_over_midnight_are_on_the_clock_of_their_zone(wall: str, since: str | None) -> None:
    assert night().since(utc(wall)) == (utc(since) if since else None)


def test_quiet_hours_within_a_day() -> None:
    siesta = night("13:00", "15:00", "UTC")
    assert siesta.since(utc("2026-04-05T14:00")) == utc("2026-04-05T13:00")
    assert siesta.since(utc("2026-04-05T15:00")) is None
    assert siesta.since(utc("2026-04-05T12:59")) is None


def test_a_night_in_which_the_clock_is_set_forward_is_an_hour_shorter() -> None:
    berlin = night("22:00", "08:00", "Europe/Berlin")
    assert berlin.since(utc("2026-03-29T05:59")) == utc("2026-03-28T21:00")
    assert berlin.since(utc("2026-03-29T06:00")) is None


@pytest.mark.parametrize("text", ["", "24:00", "8", "08:0", "8:60", "٠٨:00", "08:00:00", "-1:00"])
def test_a_time_that_is_none_says_what_is_allowed(text: str) -> None:
    with pytest.raises(ValueError, match="such as 22:00"):
        ZonedTime.parse(text)


@pytest.mark.parametrize("text", ["Mars/Base", "", "../etc/passwd", "Asia/"])
def test_a_zone_that_is_none_says_what_is_allowed(text: str) -> None:
    with pytest.raises(ValueError, match="IANA"):
        Zone.parse(text)


def test_zones_need_nothing_of_the_system() -> None:
    with without_zones(package=True):
        assert night().since(utc("2026-04-05T14:00")) == utc("2026-04-05T14:00")
        siesta = QuietHours(ZonedTime.parse("13:00"), ZonedTime.parse("15:00"))
        assert siesta.since(utc("2026-04-05T14:00")) == utc("2026-04-05T13:00")


def test_quiet_hours_outlive_the_time_zones_of_the_machine() -> None:
    quiet = night()
    with without_zones(package=False):
        assert quiet.since(utc("2026-04-05T14:00")) == utc("2026-04-05T14:00")


def test_quiet_hours_that_never_end_are_refused() -> None:
    with pytest.raises(ValueError, match="same"):
        night("08:00", "08:00")


def test_a_route_takes_by_kind_by_level_and_by_state_and_everything_by_default() -> None:
    alert = low().alert
    assert Route().takes(alert)
    assert Route(frozenset({Kind.ACCOUNT})).takes(alert)
    assert not Route(frozenset({Kind.CREDENTIAL, Kind.VISIBILITY})).takes(alert)
    assert not Route(frozenset({Kind.ACCOUNT}), frozenset({Level.CRITICAL})).takes(alert)
    assert Route(levels=frozenset({Level.WARNING})).takes(alert)
    assert not Route(levels=frozenset({Level.CRITICAL})).takes(alert)
    assert Route(states=frozenset({State.LOW})).takes(alert)
    assert not Route(states=frozenset({State.EXHAUSTED})).takes(alert)


def test_the_end_of_an_episode_passes_whatever_its_beginning_had_to_be_unless_ends_are_not_wanted() -> None:
    end = evolve(low().alert, state=State.OK, reason=Reason.RECOVERED)
    assert Route(frozenset({Kind.CREDENTIAL}), frozenset({Level.CRITICAL}), frozenset({State.CRITICAL})).takes(end)
    assert not Route(send_resolved=False).takes(end)
    assert Route(send_resolved=False).takes(low().alert)


def test_a_channel_cannot_be_for_test_alerts_only() -> None:
    with pytest.raises(ValueError, match="kinds with test"):
        Route(frozenset({Kind.TEST}))


@pytest.mark.parametrize(
    ("route", "found"),
    [
        ({"levels": {Level.CRITICAL}, "states": {State.LOW}}, "levels critical with states low"),
        ({"levels": {Level.INFO}}, "levels info"),
        ({"states": {State.OK, State.UNKNOWN}}, "states ok, unknown"),
        ({"kinds": {Kind.VISIBILITY}, "levels": {Level.CRITICAL}}, "kinds visibility with levels critical"),
        ({"kinds": {Kind.CREDENTIAL}, "states": {State.ARREARS}}, "kinds credential with states arrears"),
    ],
)
def test_a_route_that_no_alert_can_take_is_refused(route: dict[str, set[Any]], found: str) -> None:
    with pytest.raises(ValueError, match=f"^{found}, which no alert has; low is a warning, every other state critical"):
        Route(**{name: frozenset(values) for name, values in route.items()})


def test_what_a_refused_route_says_of_the_levels_is_so() -> None:
    assert {(kind, state) for kind, state in ANNOUNCED if level(kind, state) is Level.WARNING} == {
        (kind, State.LOW) for kind in (Kind.ACCOUNT, Kind.CREDENTIAL)
    }
    assert {(kind, state) for kind, state in ANNOUNCED if level(kind, state) is Level.ERROR} == {
        (Kind.VISIBILITY, State.CRITICAL)
    }
