"""Every command as a process: what it prints and its exit status."""

import json
import signal
import socket
import time

import pytest

from support.daemon import one_line
from support.site import TOKEN, Site


def test_check_config_says_fine_and_exits_0(site: Site) -> None:
    done = site.run(site.account(), "check-config")
    assert (done.status, done.err) == (0, "")
    assert "fine" in one_line(done.out)
    assert site.provider.requests == []


def test_check_config_names_every_problem_of_the_environment_in_one_run_a_line_each(site: Site) -> None:
    wrong = {
        "CHECK_INTERVAL": "0",
        "WARNING_THRESHOLD": "-5",
        "MAX_FAILURES": "many",
        "BALANCE_CHECK_ENDPOINT": "ftp://x/y",
        "ALERT_WEBHOOK_URL": "https://user:secret-pass@hooks.example/x",
        "ALERT_LANGUAGE": "fr",
        "NOTIFY_WHEN_BLIND": "perhaps",
        "TOKEN_MONITOR_LISTEN": "nowhere",
        "LOG_LEVEL": "loud",
        "FACEFUSION_API_TOKEN_FILE": "/nonexistent",
        "FACEFUSION_API_TOKEN": "",
    }
    done = site.run(site.account(**{"X": "1"} | wrong), "check-config")
    assert (done.status, done.out) == (2, "")
    lines = done.err.splitlines()
    for name, value in wrong.items():
        if value:
            assert sum(name in line for line in lines) == 1, f"{name}\n{done.err}"
    assert len(lines) == sum(bool(value) for value in wrong.values())
    assert "secret-pass" not in done.err


def test_check_config_names_every_problem_of_a_file_in_one_run(site: Site) -> None:
    environment = site.yaml(
        """
        accounts:
          - {name: a, credential: "${UNSET_ONE}", intervall: 5m, thresholds: {warning: 3, critical: 5}}
          - {name: a, credential: x-credential, channels: [nowhere], cooldown: soon}
        channels:
          hook: {type: pigeon}
        budget: []
        """
    )
    done = site.run(environment, "check-config")
    assert done.status == 2
    for word in ("UNSET_ONE", "intervall", "critical", "nowhere", "cooldown", "pigeon", "budget", "name"):
        assert word in done.err, f"{word} is missing from\n{done.err}"


def test_check_config_show_prints_the_settings_in_force_with_secrets_masked(site: Site) -> None:
    environment = site.account(ALERT_WEBHOOK_URL="https://hooks.example/secret-path", ALERT_WEBHOOK_SECRET="hmac-key")
    done = site.run(environment, "check-config", "--show")
    assert done.status == 0
    for secret in (TOKEN, "secret-path", "hmac-key"):
        assert secret not in done.out + done.err
    for shown in ("facefusion", "hooks.example", "***", "interval", "30m", "webhook"):
        assert shown in done.out


def test_a_broken_configuration_ends_the_daemon_with_2_and_no_traceback(site: Site) -> None:
    done = site.run(site.account(FACEFUSION_API_TOKEN=""))
    assert done.status == 2
    assert "FACEFUSION_API_TOKEN" in done.err
    assert "Traceback" not in done.err
    assert done.out == ""


def test_test_alert_reports_what_each_channel_really_answered(site: Site) -> None:
    text = """
    accounts: [{name: a, credential: x-credential, endpoint: PROVIDER/a}]
    channels:
      good: {type: webhook, url: RECEIVER/good}
      dead: {type: webhook, url: "http://127.0.0.1:1/dead"}
      wrong: {type: slack, url: RECEIVER/wrong}
    """
    site.receiver.answer(204)
    done = site.run(site.yaml(text), "test-alert")
    assert done.status == 1
    reports = {line.partition(":")[0]: line for line in done.out.splitlines() if not line.startswith("{")}
    assert set(reports) == {"stdout", "good", "dead", "wrong"}
    assert "204" in reports["good"]
    assert "NOT" not in reports["good"] + reports["stdout"]
    assert "refused" in reports["dead"].lower()
    assert "NOT delivered" in reports["wrong"]
    alerts = {post.path: post.json() for post in site.receiver.requests}
    assert alerts["/good"]["alert"]["kind"] == "test"
    assert alerts["/good"]["text"].startswith("[TEST] ")
    assert json.loads(next(line for line in done.out.splitlines() if line.startswith("{")))["msg"] == "Test alert"
    assert not site.data.exists()


def test_test_alert_of_named_channels_uses_only_those_and_works_beside_a_daemon(site: Site) -> None:
    daemon = site.start(site.account()).watching()
    done = site.run(site.account(), "test-alert", "webhook")
    assert done.status == 0
    assert one_line(done.out).startswith("webhook: delivered")
    assert [post.json()["alert"]["kind"] for post in site.receiver.requests] == ["test"]
    done = site.run(site.account(), "test-alert", "nowhere")
    assert done.status == 2
    assert "nowhere" in one_line(done.err)
    daemon.stop()


def test_test_alert_with_a_receiver_that_refuses_exits_1(site: Site) -> None:
    site.receiver.answer(404)
    done = site.run(site.account(), "test-alert", "webhook")
    assert done.status == 1
    assert "404" in one_line(done.out)


def free_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def test_status_asks_the_running_daemon(site: Site) -> None:
    site.provider.says(5)
    environment = site.account(TOKEN_MONITOR_LISTEN=free_address())
    daemon = site.start(environment).watching()
    daemon.entry(msg="Token balance low")
    done = site.run(environment, "status")
    assert done.status == 0
    assert "facefusion/balance: low, 5 calls" in done.out
    found = json.loads(site.run(environment, "status", "--json").out)
    assert found["accounts"][0]["state"] == "low"
    assert set(found) == set(daemon.get("/api/v1/status").json)
    daemon.stop()


def test_status_without_a_daemon_exits_1_with_one_line(site: Site) -> None:
    address = free_address()
    done = site.run(site.account(TOKEN_MONITOR_LISTEN=address), "status")
    assert done.status == 1
    assert address in one_line(done.err)


def test_status_of_a_daemon_whose_http_is_off_exits_1_and_says_so(site: Site) -> None:
    done = site.run(site.account(TOKEN_MONITOR_LISTEN="off"), "status")
    assert done.status == 1
    assert "off" in one_line(done.err)


def test_run_is_the_daemon_too_and_off_serves_nothing(site: Site) -> None:
    site.provider.says(5)
    daemon = site.start(site.account(TOKEN_MONITOR_LISTEN="off"), "run")
    daemon.entry(msg="Token balance low")
    assert daemon.entry(msg="Watching")["listen"] == "off"
    daemon.stop()


@pytest.mark.parametrize("arguments", ["fly", "--fly", "run --fly", "run extra", "status --json=1", "check-config x"])
def test_a_mistyped_command_is_one_line_and_exit_2(site: Site, arguments: str) -> None:
    done = site.run(site.account(), *arguments.split())
    assert done.status == 2
    assert done.out == ""
    assert one_line(done.err).startswith("token-monitor: ")


def test_version_and_help_are_printed(site: Site) -> None:
    from token_monitor import __version__

    assert __version__ in site.run(site.environment(), "--version").out
    done = site.run(site.environment(), "--help")
    assert done.status == 0
    for command in ("run", "check", "check-config", "test-alert", "demo", "status"):
        assert command in done.out


def test_the_demo_shows_every_state_within_a_minute_and_needs_nothing(site: Site) -> None:
    environment = {name: value for name, value in site.environment().items() if not name.startswith("TOKEN_MONITOR")}
    begun = time.monotonic()
    done = site.run(environment, "demo", timeout=60)
    assert time.monotonic() - begun < 60
    assert done.status == 0, done.err
    assert done.err == ""
    alerts = [json.loads(line) for line in done.out.splitlines() if line.startswith("{")]
    assert [(line["state"], line["reason"]) for line in alerts] == [
        ("low", "first"),
        ("critical", "escalated"),
        ("exhausted", "escalated"),
        ("ok", "recovered"),
    ]
    assert done.out.count("webhook got: ") == 4
    assert "/api/v1/status" in done.out
    assert list(site.work.iterdir()) == []


def test_an_interrupted_demo_ends_at_once_with_130(site: Site) -> None:
    demo = site.start(site.environment(), "demo", "--loop")
    assert demo.out is not None
    demo.out.wait_for(lambda line: line.startswith("> "))
    demo.send(signal.SIGINT)
    assert demo.wait(3) == 130
    assert demo.err.finish() == []


def test_check_takes_an_account_named_twice_as_one(site: Site) -> None:
    site.provider.balance = 50
    done = site.run(site.account(), "check", "facefusion", "facefusion")
    assert done.status == 0
    assert len(done.out.splitlines()) == 1


def test_fail_open_lets_a_mistake_hold_no_job_back(site: Site) -> None:
    done = site.run(site.account(FACEFUSION_API_TOKEN=""), "check", "--fail-open")
    assert done.status == 0
    assert "FACEFUSION_API_TOKEN" in done.err


def test_status_says_that_it_is_not_our_daemon_that_answers_and_needs_no_credential(site: Site) -> None:
    listen = f"127.0.0.1:{site.provider.port}"
    environment = site.account(FACEFUSION_API_TOKEN="", TOKEN_MONITOR_LISTEN=listen)
    for options in ((), ("--json",)):
        done = site.run(environment, "status", *options)
        assert (done.status, done.out) == (1, "")
        assert "not token-monitor" in one_line(done.err)
