"""What survives a restart, and what an edited configuration does to it."""

from datetime import datetime

from support.site import Receiver, Site


def account(name: str = "facefusion", path: str = "/v1/balance", warning: str = "10") -> str:
    return (
        f"- {{name: {name}, credential: a-credential, endpoint: PROVIDER{path}, "
        f"thresholds: {{warning: {warning}, critical: 3}}}}"
    )


def config(*accounts: str, channels: str = "hook: {type: webhook, url: RECEIVER/hook}") -> str:
    listed = "\n".join(accounts or (account(),))
    return f"defaults: {{interval: 0.2}}\naccounts:\n{listed}\nchannels: {{{channels}}}\n"


def test_a_restart_repeats_no_alert_and_the_episode_goes_on(site: Site) -> None:
    site.provider.says(5)
    daemon = site.start(site.account(CRITICAL_THRESHOLD="3"))
    first = site.posted(1)[0]
    daemon.entry(msg="Token balance low")
    daemon.stop()
    for _ in range(2):
        daemon = site.start(site.account(CRITICAL_THRESHOLD="3")).watching()
        site.judged(3)
        assert daemon.entries(account="facefusion") == []
        daemon.stop()
    assert len(site.receiver.requests) == 1
    daemon = site.start(site.account(CRITICAL_THRESHOLD="3"))
    site.provider.says(2)
    worse = site.posted(2)[1]
    assert (worse["reason"], worse["episode"]) == ("escalated", first["episode"])
    daemon.stop()


def test_the_cooldown_runs_on_over_a_restart(site: Site) -> None:
    site.provider.says(5)
    daemon = site.start(site.account(ALERT_COOLDOWN="4"))
    first = site.posted(1)[0]
    daemon.entry(msg="Token balance low")
    daemon.stop()
    daemon = site.start(site.account(ALERT_COOLDOWN="4"))
    reminder = site.posted(2)[1]
    assert reminder["reason"] == "reminder"
    apart = datetime.fromisoformat(reminder["at"]) - datetime.fromisoformat(first["at"])
    assert 3.99 <= apart.total_seconds() < 6
    daemon.stop()


def test_what_a_receiver_that_was_down_did_not_take_leaves_after_the_restart_in_order_with_its_ids(site: Site) -> None:
    site.provider.says(5)
    site.receiver.answer(503)
    daemon = site.start(site.account(CRITICAL_THRESHOLD="3"))
    said = [daemon.entry(msg="Token balance low")]
    site.provider.says(2)
    said.append(daemon.entry(msg="Token balance critical"))
    site.receiver.wait_for(1)
    daemon.stop()
    site.receiver.requests.clear()
    site.receiver.answer(200)
    daemon = site.start(site.account(CRITICAL_THRESHOLD="3"))
    alerts = site.posted(2)
    assert [alert["id"] for alert in alerts] == [line["alert_id"] for line in said]
    assert [alert["at"] for alert in alerts] == [line["timestamp"] for line in said]
    site.judged(2)
    assert daemon.entries(account="facefusion", quantity="balance") == []
    assert len(site.receiver.requests) == 2
    daemon.stop()


def test_the_alert_of_a_removed_account_is_closed_where_it_was_told(site: Site) -> None:
    site.provider.says(5, "/gone")
    daemon = site.start(site.yaml(config(account(), account("gone", "/gone"))))
    low = site.posted(1)[0]
    daemon.entry(msg="Token balance low")
    daemon.stop()
    daemon = site.start(site.yaml(config(account())))
    closed = site.posted(2)[1]
    assert {key: closed[key] for key in ("account", "state", "level", "reason", "episode", "balance", "threshold")} == {
        "account": "gone",
        "state": "ok",
        "level": "info",
        "reason": "account_removed",
        "episode": low["episode"],
        "balance": 5,
        "threshold": 10,
    }
    line = daemon.entry(msg="Token alert closed")
    assert (line["level"], line["reason"], line["alert_id"]) == ("info", "account_removed", closed["id"])
    assert [entry["account"] for entry in daemon.get("/api/v1/status").json["accounts"]] == ["facefusion"]
    daemon.stop()
    daemon = site.start(site.yaml(config(account()))).watching()
    site.judged()
    daemon.stop()
    assert len(site.receiver.requests) == 2


def test_an_alert_that_an_edited_rule_ends_is_closed_as_rule_changed_and_not_as_recovered(site: Site) -> None:
    site.provider.says(5)
    daemon = site.start(site.yaml(config(account())))
    low = site.posted(1)[0]
    daemon.entry(msg="Token balance low")
    daemon.stop()
    daemon = site.start(site.yaml(config(account(warning="4"))))
    closed = site.posted(2)[1]
    assert (closed["reason"], closed["state"], closed["level"]) == ("rule_changed", "ok", "info")
    assert (closed["episode"], closed["threshold"]) == (low["episode"], 4)
    assert daemon.entry(msg="Token alert closed")["alert_id"] == closed["id"]
    daemon.stop()


def test_a_new_channel_gets_later_alerts_only(site: Site) -> None:
    both = "hook: {type: webhook, url: RECEIVER/hook}, new: {type: webhook, url: RECEIVER/new}"
    site.provider.says(5)
    daemon = site.start(site.yaml(config()))
    site.posted(1)
    daemon.entry(msg="Token balance low")
    daemon.stop()
    daemon = site.start(site.yaml(config(channels=both))).watching()
    site.judged(2)
    site.provider.says(2)
    site.receiver.wait_for(3)
    site.provider.says(100)
    site.receiver.wait_for(5)
    daemon.stop()
    by_path = {
        path: [post.json()["alert"]["reason"] for post in site.receiver.requests if post.path == path]
        for path in ("/hook", "/new")
    }
    assert by_path == {"/hook": ["first", "escalated", "recovered"], "/new": ["escalated", "recovered"]}


def test_a_channel_that_was_never_told_of_an_episode_is_not_told_of_its_end(site: Site) -> None:
    both = "hook: {type: webhook, url: RECEIVER/hook}, new: {type: webhook, url: RECEIVER/new}"
    site.provider.says(5)
    daemon = site.start(site.yaml(config()))
    site.posted(1)
    daemon.entry(msg="Token balance low")
    daemon.stop()
    daemon = site.start(site.yaml(config(channels=both))).watching()
    site.provider.says(100)
    site.posted(2)
    site.judged(2)
    daemon.stop()
    assert [post.path for post in site.receiver.requests] == ["/hook", "/hook"]


def test_a_removed_channel_keeps_its_alerts_and_sends_them_when_its_name_returns(site: Site) -> None:
    site.provider.says(5)
    site.receiver.answer(503)
    daemon = site.start(site.yaml(config()))
    low = daemon.entry(msg="Token balance low")
    site.receiver.wait_for(1)
    daemon.stop()
    site.receiver.requests.clear()
    site.receiver.answer(200)
    with Receiver() as other:
        daemon = site.start(site.yaml(config(channels=f'other: {{type: webhook, url: "{other.url}/x"}}'))).watching()
        site.judged(2)
        daemon.stop()
        assert other.requests == []
    assert site.receiver.requests == []
    daemon = site.start(site.yaml(config()))
    assert [alert["id"] for alert in site.posted(1)] == [low["alert_id"]]
    daemon.stop()


def test_silent_mode_lasts_over_a_restart_its_log_line_is_repeated_and_its_alert_is_not(site: Site) -> None:
    site.provider.answer(404)
    blind = {"MAX_FAILURES": "2", "NOTIFY_WHEN_BLIND": "true"}
    daemon = site.start(site.account(**blind))
    alert = site.posted(1)[0]
    assert daemon.entry(msg="Balance check failing, silent mode")["alert_id"] == alert["id"]
    daemon.stop()
    daemon = site.start(site.account(**blind))
    repeated = daemon.entry(msg="Balance check failing, silent mode")
    assert "alert_id" not in repeated
    assert repeated["level"] == "error"
    site.judged(2)
    assert len(site.receiver.requests) == 1
    site.provider.says(100)
    assert site.posted(2)[1]["episode"] == alert["episode"]
    daemon.stop()


def test_a_pause_the_receiver_asked_for_is_kept_over_a_restart(site: Site) -> None:
    site.provider.says(5)
    site.receiver.answer(429, headers={"Retry-After": "4"}, times=1)
    daemon = site.start(site.account())
    asked = site.receiver.wait_for(1)[0]
    daemon.entry(msg="Alert delivery failed, trying again")
    daemon.stop()
    daemon = site.start(site.account())
    again = site.receiver.wait_for(2)[1]
    assert again.at - asked.at > 3.9
    assert again.headers["idempotency-key"] == asked.headers["idempotency-key"]
    daemon.stop()


def test_an_answer_that_got_lost_is_sent_again_under_the_same_id_with_the_same_body(site: Site) -> None:
    site.provider.says(5)
    site.receiver.answer(close=True, times=1)
    daemon = site.start(site.account())
    lost, again = site.receiver.wait_for(2)
    assert again.headers["idempotency-key"] == lost.headers["idempotency-key"]
    assert again.body == lost.body
    daemon.stop()
