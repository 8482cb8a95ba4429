"""Answers that hold no balance, in families, generated from a seed: each as the bytes that go over the wire."""

import bz2
import gzip
import lzma
import random
import zlib
from collections.abc import Callable, Iterator
from typing import Final

from attrs import frozen

from support import malformed_bodies as bodies
from support.answers import head
from token_monitor.core.errors import Failure


@frozen
class Malformed:
    """keep: the answer ends by its length, so that its connection can be used again."""

    wire: bytes
    keep: bool


@frozen
class Family:
    """kinds: those a poll may fail with."""

    name: str
    kinds: frozenset[Failure]
    answers: tuple[Malformed, ...]


def _framed(generate: Callable[[random.Random], Iterator[bytes]]) -> Callable[[random.Random], Iterator[Malformed]]:
    def answers(dice: random.Random) -> Iterator[Malformed]:
        for body in generate(dice):
            yield Malformed(head(200, Content_Length=len(body)) + body, keep=True)

    return answers


def _cut(dice: random.Random) -> Iterator[Malformed]:
    for number in range(50):
        body = bodies.good(dice).encode()
        yield Malformed(head(200, Content_Length=len(body) + dice.randint(1, 10**6)) + body, keep=False)
        ends = (b"", b"5\r\n{", b"z\r\n", b"\r\n", b"-1\r\n", b"0x5\r\n12345\r\n", b"fffffffffffffffff\r\n")
        chunks = b"%x\r\n%b\r\n" % (len(body), body)
        yield Malformed(head(200, Transfer_Encoding="chunked") + chunks + ends[number % len(ends)], keep=False)


def _wrongly_encoded(dice: random.Random) -> Iterator[Malformed]:
    for number in range(30):
        body = bodies.good(dice).encode()
        squeezed = gzip.compress(body, mtime=0)
        broken = (body, b"\x1f\x8b" + body, squeezed[:12] + b"\xff" * 9 + squeezed[21:], squeezed[:-8] + b"12345678")
        wrong = broken[number % len(broken)]
        name = dice.choice(["gzip", "GZIP", "x-gzip", "gzip, gzip", "gzip,gzip,gzip,gzip,gzip,gzip,gzip"])
        yield Malformed(head(200, Content_Length=len(wrong), Content_Encoding=name) + wrong, keep=True)


def _unknown_encoding(dice: random.Random) -> Iterator[Malformed]:
    squeezers = (zlib.compress, lzma.compress, bz2.compress, bytes.hex)
    for number in range(40):
        squeezed = squeezers[number % 4](bodies.good(dice).encode())
        body = squeezed.encode() if isinstance(squeezed, str) else squeezed
        name = dice.choice(["br", "xz", "compress", "odd", "aes128gcm", ""])
        yield Malformed(head(200, Content_Length=len(body), Content_Encoding=name) + body, keep=True)


def _too_large(dice: random.Random) -> Iterator[Malformed]:
    for number in range(4):
        body = bodies.good(dice).encode() + b" " * ((1 << 20) + number)
        squeezed = gzip.compress(body, mtime=0)
        chunked = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        yield Malformed(head(200, Content_Length=len(body)) + body, keep=False)
        yield Malformed(head(200) + body, keep=False)
        yield Malformed(head(200, Transfer_Encoding="chunked") + chunked, keep=False)
        yield Malformed(head(200, Content_Length=len(squeezed), Content_Encoding="gzip") + squeezed, keep=True)


def _cut_headers(dice: random.Random) -> Iterator[Malformed]:
    whole = head(200, Content_Type="application/json", Content_Length=14)
    for cut in range(len(b"HTTP/1.1 200 OK\r\n"), len(whole) - 2):
        yield Malformed(whole[:cut], keep=False)


_FAMILIES: Final = {
    "empty": (_framed(bodies.empty), Failure.NOT_JSON),
    "HTML and XML": (_framed(bodies.pages), Failure.NOT_JSON),
    "truncated": (_framed(bodies.truncated), Failure.NOT_JSON),
    "trailing data": (_framed(bodies.trailing), Failure.NOT_JSON),
    "concatenated": (_framed(bodies.concatenated), Failure.NOT_JSON),
    "NaN and infinity": (_framed(bodies.not_finite), Failure.NOT_JSON),
    "a key twice": (_framed(bodies.twice), Failure.NOT_JSON),
    "wrong charset": (_framed(bodies.charsets), Failure.NOT_JSON),
    "byte order marks": (_framed(bodies.marks), Failure.NOT_JSON),
    "no number": (_framed(bodies.not_a_number), Failure.NOT_A_NUMBER),
    "number beyond bounds": (_framed(bodies.beyond), Failure.NOT_A_NUMBER),
    "missing": (_framed(bodies.missing), Failure.MISSING),
    "deep": (_framed(bodies.deep), Failure.NOT_JSON),
    "control characters": (_framed(bodies.control), Failure.NOT_JSON),
    "other languages": (_framed(bodies.other_languages), Failure.NOT_JSON),
    "mutated": (_framed(bodies.mutated), Failure.NOT_JSON),
    "cut by the connection": (_cut, Failure.CONNECTION),
    "cut in the headers": (_cut_headers, Failure.CONNECTION, Failure.NOT_JSON),
    "not encoded as said": (_wrongly_encoded, Failure.INVALID),
    "unknown encoding": (_unknown_encoding, Failure.NOT_JSON, Failure.INVALID),
    "over 1 MiB": (_too_large, Failure.TOO_LARGE),
}


def families(seed: int) -> list[Family]:
    """Every family, without two equal answers."""
    found = []
    for name, (generate, *kinds) in _FAMILIES.items():
        answers = dict.fromkeys(generate(random.Random(f"{seed} {name}")))
        found.append(Family(name, frozenset(kinds), tuple(answers)))
    return found
