"""E-mail from the whole daemon."""

from support.mail_server import MailServer
from support.site import Site


def test_who_does_not_get_an_alert_is_on_an_error_line(site: Site) -> None:
    def answer(address: str) -> str:
        return "550 5.1.1 Unknown" if address == "gone@example.com" else "250 OK"

    site.provider.says(5)
    with MailServer(RCPT=answer) as server:
        daemon = site.start(
            site.yaml(
                f"""
                accounts: [{{name: a, credential: c, endpoint: PROVIDER/v1/balance, thresholds: {{warning: 10}}}}]
                channels:
                  mail:
                    type: email
                    host: 127.0.0.1
                    port: {server.port}
                    security: none
                    sender: monitor@example.com
                    to: [ops@example.com, gone@example.com]
                """
            )
        )
        alert = daemon.entry(msg="Token balance low")
        line = daemon.entry(msg="Alert not delivered to everybody")
        daemon.stop()
    assert (line["level"], line["channel"], line["alert_id"]) == ("error", "mail", alert["alert_id"])
    assert line["error"] == f"127.0.0.1:{server.port} refuses gone@example.com (550 5.1.1); check to"
