"""Printing an answer whose exit status counts, whoever reads it."""

import os
import sys
from collections.abc import Iterable

import click


def print_all(lines: Iterable[str]) -> None:
    """Print the lines. That nobody can read them (a closed pipe, a full disk) does not change the answer."""
    try:
        for line in lines:
            click.echo(line)
    except OSError:
        # or the interpreter would try to flush the rest at exit, and fail
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
