"""Receives the generic webhook: verifies the signature, drops duplicates, prints what came. Standard library only.

WEBHOOK_SECRET=… python examples/webhook_receiver.py [PORT]
ALERT_WEBHOOK_URL=http://127.0.0.1:8000/ ALERT_WEBHOOK_SECRET=… token-monitor test-alert
"""

import hashlib
import hmac
import json
import os
import sys
import time
from collections import OrderedDict
from collections.abc import Mapping
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, HTTPServer

SECRET = os.environ["WEBHOOK_SECRET"].encode()
KEPT = 10_000
seen: OrderedDict[str, None] = OrderedDict()


def genuine(headers: Mapping[str, str], body: bytes) -> bool:
    """Whether it was signed with our secret within the last five minutes."""
    stamp = headers.get("X-Timestamp", "")
    digest = hmac.new(SECRET, stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    signature = headers.get("X-Signature-256", "")
    return hmac.compare_digest(f"sha256={digest}".encode(), signature.encode()) and abs(time.time() - int(stamp)) < 300


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if not genuine(self.headers, body):
            self.send_error(401)
            return
        key = self.headers["Idempotency-Key"]
        if key not in seen:
            message = json.loads(body, parse_float=Decimal)  # numbers are exact; a float would round them
            print(message["text"], flush=True)
            seen[key] = None  # once it is dealt with: what fails before this is sent again
            if len(seen) > KEPT:
                seen.popitem(last=False)
        self.send_response(204)  # the acknowledgement, for a duplicate too
        self.end_headers()


if __name__ == "__main__":
    HTTPServer(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 8000), Receiver).serve_forever()
