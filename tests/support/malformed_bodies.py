"""Bodies that are no JSON document with a balance in it, generated from a seed."""

import json
import random
from collections.abc import Iterator
from typing import Final

Bodies = Iterator[bytes]

WORDS: Final = ("credits", "额度", "user", "plan", "état", "总额", "quota", "left", "Ünit", "token")


def good(dice: random.Random) -> str:
    """A document with a balance in it, always the last key, and no other number or structure in its texts."""
    others = {word: "".join(dice.choices("abcxyz 余额éü", k=dice.randint(1, 12))) for word in dice.sample(WORDS, 3)}
    return json.dumps({**others, "balance": dice.randint(0, 9)}, ensure_ascii=dice.random() < 0.3)


def empty(dice: random.Random) -> Bodies:
    yield b""
    for _ in range(40):
        yield "".join(dice.choices([" ", "\t", "\r\n", "\n", "\x0b", "\x0c", "\u00a0", "\u3000"], k=9)).encode()


def pages(dice: random.Random) -> Bodies:
    for number in range(40):
        code = dice.choice([502, 503, 200, 0])
        yield f"<!DOCTYPE html><html><head><title>{code}</title><body>balance: 0 {number} {good(dice)}</body>".encode()
        yield f'<?xml version="1.0"?><r id="{number}"><balance>{dice.randint(0, 9)}</balance></r>'.encode()
        yield f"  \n<balance n='{number}'>5</balance>".encode()


def truncated(dice: random.Random) -> Bodies:
    for _ in range(150):
        body = good(dice).encode()
        yield body[: dice.randrange(1, len(body))]


def trailing(dice: random.Random) -> Bodies:
    tails = ("x", ",", "]", "}", "0", "null", '"', "{}", "\0", ";", "//", "\ufeff", "<br>")
    for number in range(60):
        yield (good(dice) + " " * dice.randint(0, 3) + tails[number % len(tails)]).encode()


def concatenated(dice: random.Random) -> Bodies:
    for _ in range(40):
        yield (
            dice.choice(["\n", "", "\r\n", "\x1e", ",", " "])
            .join(good(dice) for _ in range(dice.randint(2, 4)))
            .encode()
        )


def not_finite(dice: random.Random) -> Bodies:
    for word in ("NaN", "Infinity", "-Infinity", "nan", "inf", "-NaN", "+Infinity", "1.#INF", "undefined", "None"):
        yield f'{{"balance": {word}}}'.encode()
        yield f'{{"balance": [{{"a": {word}}}]}}'.encode()
        yield f'{{"other": {word}, "balance": {dice.randint(0, 9)}}}'.encode()
        yield word.encode()


def twice(dice: random.Random) -> Bodies:
    spellings = ('"balance"', '"\\u0062alance"', '"bal\\u0061nce"', '"b\\u0061lanc\\u0065"')
    for number in range(60):
        first, second = dice.choice(spellings), dice.choice(spellings)
        pair = f"{first}: {dice.randint(0, 9)}, {second}: {dice.choice([number, 0, 'null'])}"
        yield (f"{{{pair}}}" if number % 2 else f'{{"balance": 5, "n": [{{{pair}}}]}}').encode()


def charsets(dice: random.Random) -> Bodies:
    charsets = (
        "utf-16",
        "utf-16-le",
        "utf-16-be",
        "utf-32",
        "gbk",
        "gb18030",
        "big5",
        "shift_jis",
        "latin-1",
        "cp1252",
    )
    for number in range(110):
        charset = charsets[number % len(charsets)]
        text = "é" if charset in ("latin-1", "cp1252") else "余額"
        yield f'{{"note": "{text * dice.randint(1, 9)}", "balance": {number}}}'.encode(charset)
    for broken in (
        b"\xff",
        b"\xc3",
        b"\xc0\x80",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"\x80",
        b"\xe4\xbd",
        b"\xf8\x88",
    ):
        for place in (
            b'{"a": "%b", "balance": 5}',
            b'{"%b": 1, "balance": 5}',
            b'%b{"balance": 5}',
            b'{"balance": 5}%b',
        ):
            yield place % broken


def marks(dice: random.Random) -> Bodies:
    mark = b"\xef\xbb\xbf"
    for _ in range(10):
        body = good(dice).encode()
        cut = dice.choice([0, 1, len(body) - 1, len(body)])
        yield mark * 2 + body
        yield mark + body[:cut] + mark + body[cut:]
        yield b" " + mark + body
        yield dice.choice([b"\xff\xfe", b"\xfe\xff", b"\x2b\x2f\x76\x38-"]) + body


NO_NUMBERS: Final = (
    *("true", "false", "[]", "{}", "[5]", '{"balance": 5}', '""', '" "', '"N/A"', '"1,000"', '"1_000"', '"1 000"'),
    *('"５"', '"٣"', '"0x10"', '"1e"', '"1.2.3"', '"NaN"', '"Infinity"', '"-Infinity"', '"null"', '"∞"', '"½"'),
    *('"$5"', '"5 USD"', '"5%"', '" 5"', '"5 "', '"5\\n"', '"--5"', '"+-5"', '"- 5"', '"."', '"e5"', '"-"', '"+"'),
    *('"1.5e3.0"', '"1,5"', '"1.000,00"', '"(5)"', '"5-"', '"0b1"', '"0o7"', '"1e+"', '"unlimited"', '"\\u0000"'),
    *('"\\ud800"', '"5\\udfff"', '"１２"', '"5\\u0000"', '"−5"', '"5e０"', '"5\\u200b"', '"\\ufeff5"', '"5;"', "[[5]]"),
)


def not_a_number(dice: random.Random) -> Bodies:
    for wrong in NO_NUMBERS:
        for spare in dice.sample(WORDS, 3):
            yield f'{{"{spare}": {dice.randint(0, 9)}, "balance": {wrong}}}'.encode()


def beyond(dice: random.Random) -> Bodies:
    for _ in range(40):
        digits = str(dice.randint(1, 9)) + "".join(dice.choices("0123456789", k=dice.randint(40, 400)))
        exponent = dice.choice([31, 99, 400, 10**6, 10**9, 10**20, 10**30]) * dice.choice([1, -1])
        cut = dice.randint(1, len(digits) - 1)
        for number in (digits, f"-{digits}", f"{digits[:cut]}.{digits[cut:]}", f"{dice.randint(1, 9)}e{exponent}"):
            yield f'{{"balance": {number}}}'.encode()
            yield f'{{"balance": "{number}"}}'.encode()


def missing(dice: random.Random) -> Bodies:
    for body in (
        "{}",
        "[]",
        "null",
        "true",
        "false",
        "5",
        "-0.1",
        '"5"',
        '"balance"',
        '["balance", 5]',
        '[{"balance": 5}]',
    ):
        yield body.encode()
    keys = ("Balance", "BALANCE", "balance ", " balance", "bаlance", "balances", "ba\\u0000lance", "\\ud800", "")
    for key in keys:
        yield f'{{"{key}": {dice.randint(0, 9)}}}'.encode()
        yield f'{{"{key}": 5, "balance": null}}'.encode()
        yield f'{{"{key}": {{"balance": {dice.randint(0, 9)}}}}}'.encode()
    for number in range(40):
        yield f'{{"{dice.choice(WORDS)}": {{"balance": {number}}}, "error": "{number}"}}'.encode()


def deep(dice: random.Random) -> Bodies:
    for depth in (100_000, 50_000, 20_000):
        yield b"[" * depth
        yield b"[" * depth + b"]" * depth
        yield b'{"balance":' * (depth // 3) + b"5" + b"}" * (depth // 3)
        yield b'{"balance": 5, "a": ' + b"[" * depth + b"]" * depth + b"}"


def control(dice: random.Random) -> Bodies:
    for code in range(32):
        character = chr(code)
        yield f'{{"a": "x{character}y", "balance": {dice.randint(0, 9)}}}'.encode()
        yield f'{{"a{character}": 1, "balance": {dice.randint(0, 9)}}}'.encode()
        if character not in "\t\n\r":
            yield f'{{"balance":{character}{dice.randint(0, 9)}}}'.encode()
    for space in "\u00a0\u2028\u2029\u0085\u200b\u3000\x7f":
        yield f'{{"balance":{space}{dice.randint(0, 9)}}}'.encode()


def other_languages(dice: random.Random) -> Bodies:
    for number in range(12):
        for body in (
            "{{'balance': {0}}}",
            '{{"balance": {0},}}',
            '{{"balance": {0}}} // ok',
            '/* ok */ {{"balance": {0}}}',
            '{{"balance": 0{0}}}',
            '{{"balance": +{0}}}',
            '{{"balance": .{0}}}',
            '{{"balance": {0}.}}',
            '{{"balance": 0x{0}}}',
            '{{"balance": {0}_000}}',
            '{{"balance": 1e}}{0}',
            "{{balance: {0}}}",
            "balance: {0}\n",
            "balance={0}",
            "{{'balance': Decimal('{0}')}}",
            '{{"balance": {0}L}}',
            '{{"balance" {0}}}',
            '{{"balance": {0}, "ok": True}}',
            'callback({{"balance": {0}}})',
            ')]}}\',\n{{"balance": {0}}}',
            '{{"balance": `{0}`}}',
            '{{"balance": １{0}}}',
            '{{"balance": {0}٣}}',
            '{{"balance": {0} 5}}',
        ):
            yield body.format(number).encode()


def mutated(dice: random.Random) -> Bodies:
    """A good document that lost or changed one of the characters that give it structure."""
    for _ in range(200):
        body = good(dice)
        at = dice.choice([place for place, character in enumerate(body) if character in '{}":,'])
        put = dice.choice(["", "", *";'<>()=|~#", *[mark for mark in '{}[]:"' if mark != body[at]]])
        yield (body[:at] + put + body[at + 1 :]).encode()
