"""A stand-in for inference, run by the Python of an image: steps that do not need the monitor; and the provider, too.

Each step is a line on stdout: the number of the step, the balance that the monitor shows (null: nobody answers), the
credential that the monitor published (null: none), and the credentials that the provider was asked with.
"""

import http.client
import json
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PROVIDER, MONITOR = ("127.0.0.1", 18080), ("127.0.0.1", 9775)
PUBLISHED = Path("/shared/credential")
asked: set[str] = set()


class Provider(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        asked.add(self.headers.get("Authorization", ""))
        body = b'{"balance": 5}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Silent."""


def balance() -> object:
    connection = http.client.HTTPConnection(*MONITOR, timeout=1)
    try:
        connection.request("GET", "/api/v1/status")
        return json.loads(connection.getresponse().read())["accounts"][0]["balance"]
    except OSError:
        return None
    finally:
        connection.close()


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # process 1 would ignore it
    threading.Thread(target=ThreadingHTTPServer(PROVIDER, Provider).serve_forever, daemon=True).start()
    step = 0
    while True:
        step += 1
        credential = PUBLISHED.read_text() if PUBLISHED.exists() else None
        line = {"step": step, "balance": balance(), "credential": credential, "asked": sorted(asked)}
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
        time.sleep(0.1)


main()
