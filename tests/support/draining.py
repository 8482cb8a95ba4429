"""An inference process that finishes its job before it ends."""

from typing import Final

SECONDS: Final = 6

DRAINS: Final = f"""
import signal, sys, time
def drain(number, frame):
    print("draining", flush=True)
    time.sleep({SECONDS})
    print("drained", flush=True)
    sys.exit()
signal.signal(signal.SIGTERM, drain)
"""
"""What such a program begins with: told to end it works on for so many seconds, and says when both begin and end."""
