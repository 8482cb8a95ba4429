"""Several accounts, quantities and channels: each with its own rules, and none in the way of another."""

from support.site import Answer, Receiver, Site

SEVERAL = """
defaults: {interval: 0.2, thresholds: {warning: 10}}
accounts:
  - name: one
    credential: first-credential
    endpoint: PROVIDER/one
    channels: [chat]
  - name: two
    credential: second-credential
    endpoint: PROVIDER/two
    auth: {scheme: header, name: X-Api-Key}
    thresholds: {warning: 50, critical: 5}
    channels: [hook]
  - name: three
    credential: third-credential
    endpoint: PROVIDER/three
    quantities:
      balance_cny: {value: cny, unit: CNY, thresholds: {warning: 50}}
      balance_usd: {value: usd, unit: USD}
channels:
  chat: {type: slack, url: RECEIVER/slack}
  hook: {type: webhook, url: RECEIVER/hook, secret: shared, headers: {X-Team: gpu}}
"""


def test_yaml_watches_several_accounts_each_with_its_rules_quantities_and_channels(site: Site) -> None:
    site.provider.says(5, "/one")
    site.provider.says(20, "/two")
    site.provider.at("/three", lambda: Answer(body=b'{"cny": "49.50", "usd": 100}'))
    site.receiver.answer(body=b"ok")
    daemon = site.start(site.yaml(SEVERAL))
    for name in ("one", "two", "three"):
        daemon.entry(msg="Token balance low", account=name)
    posted = site.receiver.wait_for(3)  # Slack has a pace: what comes within seconds is one message
    told = sorted((post.path, post.json().get("alert", {}).get("subject")) for post in posted if post.path == "/hook")
    assert told == [("/hook", "three/balance_cny"), ("/hook", "two/balance")]
    chats = sorted(line for post in posted if post.path == "/slack" for line in post.json()["text"].split("\n"))
    assert chats == [
        "[WARNING] one: 5 left, below the warning threshold of 10.",
        "[WARNING] three (balance_cny): 49.50 CNY left, below the warning threshold of 50.",
    ]
    assert all(post.headers["x-team"] == "gpu" for post in posted if post.path == "/hook")
    keys = {request.path: request.headers for request in site.provider.requests}
    assert keys["/one"]["authorization"] == "Bearer first-credential"
    assert keys["/two"]["x-api-key"] == "second-credential"
    found = {
        (entry["account"], entry["quantity"]): entry["state"] for entry in daemon.get("/api/v1/status").json["accounts"]
    }
    assert found == {
        ("one", "balance"): "low",
        ("two", "balance"): "low",
        ("three", "balance_cny"): "low",
        ("three", "balance_usd"): "ok",
    }
    site.judged(6)
    assert len(site.receiver.requests) == 3
    daemon.stop()


def test_a_channel_that_is_down_delays_no_other_channel_and_no_poll(site: Site) -> None:
    site.provider.says(5)
    with Receiver() as hanging:
        hanging.answer(delay=60)
        daemon = site.start(
            site.yaml(
                f"""
                accounts:
                  - {{name: facefusion, credential: a-credential, endpoint: PROVIDER/v1/balance, interval: 0.2,
                      thresholds: {{warning: 10, critical: 3}}}}
                channels:
                  down: {{type: webhook, url: "{hanging.url}/hook", timeout: 30}}
                  hook: {{type: webhook, url: RECEIVER/hook}}
                """
            )
        )
        hanging.wait_for(1)
        site.posted(1)
        site.provider.says(2)
        assert site.posted(2)[1]["state"] == "critical"
        daemon.entry(msg="Token balance critical")

        def pending() -> dict[str, int]:
            channels = daemon.get("/api/v1/status").json["channels"]
            return {channel["name"]: channel["pending"] for channel in channels}

        daemon.wait_until(lambda: pending() == {"stdout": 0, "down": 2, "hook": 0})
        daemon.stop()


def test_six_hanging_providers_delay_no_seventh(site: Site) -> None:
    for number in range(6):
        site.provider.at(f"/{number}", lambda: Answer(delay=60))
    site.provider.says(5, "/6")
    accounts = "\n".join(
        f"- {{name: a{number}, credential: a-credential, endpoint: PROVIDER/{number}, interval: 0.3, timeout: 30}}"
        for number in range(7)
    )
    site.provider.says(5, "/6")
    daemon = site.start(site.yaml(f"defaults: {{thresholds: {{warning: 10}}}}\naccounts:\n{accounts}\n"))
    assert daemon.entry(msg="Token balance low", timeout=5)["account"] == "a6"
    daemon.wait_until(lambda: sum(request.path == "/6" for request in site.provider.requests) >= 4, timeout=5)
    daemon.stop()


def test_metrics_status_and_readiness_are_served_while_it_watches(site: Site) -> None:
    site.provider.says(5)
    daemon = site.start(site.account())
    daemon.entry(msg="Token balance low")
    site.posted(1)
    assert daemon.get("/readyz").status == 200
    assert daemon.get("/healthz").status == 200
    assert daemon.metric('token_monitor_balance{account="facefusion",quantity="balance",unit="calls"}') == "5.0"
    assert daemon.metric('token_monitor_state{account="facefusion",quantity="balance",state="low"}') == "1.0"
    assert daemon.metric('token_monitor_alerts_total{kind="account",level="warning",reason="first"}') == "1.0"
    daemon.wait_until(lambda: '_total{channel="webhook",outcome="sent"} 1.0' in daemon.get("/metrics").text)
    assert daemon.metric("token_monitor_state_durable") == "1.0"
    status = daemon.get("/api/v1/status").json
    assert {"account", "quantity", "state", "balance", "limit", "unit", "error", "episode"} <= set(
        status["accounts"][0]
    )
    assert {channel["name"] for channel in status["channels"]} == {"stdout", "webhook"}
    assert daemon.get("/api/v1/accounts/nobody/poll", "POST").status == 404
    daemon.stop()


def test_a_poll_can_be_asked_for(site: Site) -> None:
    daemon = site.start(site.account(CHECK_INTERVAL="1h"))
    site.provider.wait_for(1)
    daemon.wait_until(lambda: daemon.get("/readyz").status == 200)
    site.provider.says(5)
    daemon.poll()
    assert daemon.entry(msg="Token balance low", timeout=5)
    daemon.stop()
