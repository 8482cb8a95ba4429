"""E-mail from the whole daemon."""

from support.daemon import Daemon
from support.mail_server import MailServer
from support.site import Site


def test_who_does_not_get_an_alert_is_on_an_error_line(site: Site) -> None:
    def answer(address: str) -> str:
        return "550 5.1.1 Unknown" if address == "gone@example.com" else "250 OK"

    site.provider.says(5)
    with MailServer(RCPT=answer) as server:
        daemon = started(site, server, "gone@example.com")
        alert = daemon.entry(msg="Token balance low")
        line = daemon.entry(msg="Alert not delivered to everybody")
        daemon.stop()
    assert (line["level"], line["channel"], line["alert_id"]) == ("error", "mail", alert["alert_id"])
    assert line["error"] == f"127.0.0.1:{server.port} refuses gone@example.com (550 5.1.1); check to"


def test_a_full_mailbox_delays_no_escalation_to_anybody_else_and_a_stop_says_what_it_missed(site: Site) -> None:
    def answer(address: str) -> str:
        return "452 4.2.2 Full" if address == "full@example.com" else "250 OK"

    site.provider.says(5)
    with MailServer(RCPT=answer) as server:
        daemon = started(site, server, "full@example.com")
        low = daemon.entry(msg="Token balance low")
        daemon.wait_until(lambda: len(server.mails) == 1)
        site.provider.says(0)
        exhausted = daemon.entry(msg="Token balance exhausted")
        daemon.wait_until(lambda: len(server.mails) == 2)
        daemon.stop()
    assert [mail.rcpt_tos for mail in server.mails] == [["ops@example.com"]] * 2
    lines = daemon.entries(msg="Alert not delivered to everybody")
    assert [line["alert_id"] for line in lines] == [low["alert_id"], exhausted["alert_id"]]
    assert {line["error"] for line in lines} == {
        f"127.0.0.1:{server.port} did not take it for full@example.com (452 4.2.2) before the stop"
    }


def started(site: Site, server: MailServer, other: str) -> Daemon:
    """One account, and a channel that mails to ops and `other`."""
    return site.start(
        site.yaml(
            f"""
            accounts:
              - {{name: a, credential: c, endpoint: PROVIDER/v1/balance, thresholds: {{warning: 10}}, interval: 1s}}
            channels:
              mail:
                type: email
                host: 127.0.0.1
                port: {server.port}
                security: none
                sender: monitor@example.com
                to: [ops@example.com, {other}]
            """
        )
    )
