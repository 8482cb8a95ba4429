"""`demo`: see it work in under a minute."""

import sys
import threading

import click


@click.command()
@click.option("--loop", is_flag=True, help="Go on until interrupted.")
def demo(*, loop: bool) -> int:
    """Watch an embedded provider run dry and be topped up. Needs no credentials and stores nothing."""
    from token_monitor.app.demo import demo as play
    from token_monitor.logs import configure
    from token_monitor.output import Output
    from token_monitor.signals import Signals

    signals = Signals()
    stopping = threading.Event()
    output = Output(sys.stdout.fileno())
    log_format = "console" if sys.stdout.isatty() else "json"
    configure(output, "warning", log_format)

    def wait_for_signal() -> None:
        next(iter(signals))  # SIGHUP too: the terminal is gone
        stopping.set()

    threading.Thread(target=wait_for_signal, name="signals", daemon=True).start()
    play(output, output.line, stopping.wait, log_format=log_format, loop=loop)
    output.close(1.0)
    return 130 if stopping.is_set() else 0
