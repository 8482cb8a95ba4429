"""The hooks for types that need more than one call to read."""

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, get_args

from token_monitor.config.converter import CONVERTER, Hook, class_hook, scalar, text_of, wrong
from token_monitor.config.credential import Credential, checked, file_of
from token_monitor.config.problems import Findings, choice
from token_monitor.config.settings import AccountSettings
from token_monitor.config.tree import Items, Table, described
from token_monitor.core.argument import Argument
from token_monitor.core.rules import Rule
from token_monitor.core.secret import Secret
from token_monitor.core.url import Url


def by_kind(raw: object, _kind: object) -> object:
    """A table that says itself what it is to become; None if nothing does."""
    assert isinstance(raw, Table)
    return None if raw.kind is None else CONVERTER.structure(raw, raw.kind)


def parsed(kind: Any) -> Hook:
    """A class that reads itself: `parse(text)` raises ValueError with what is allowed."""
    return scalar(kind.parse, secret=issubclass(kind, Url))


def enum(kind: type[Enum]) -> Hook:
    members = {str(member.value).lower(): member for member in kind}

    def parse(text: str) -> Enum:
        if text.lower() not in members:
            raise ValueError(choice(text, (str(member.value) for member in kind)))
        return members[text.lower()]

    return scalar(parse)


def string(raw: object, kind: Any) -> object:
    """A `str`, or a subclass of it that is an enum or reads itself: cattrs asks the hook of `str` for those too."""
    read = scalar(str) if kind is str else enum(kind) if issubclass(kind, Enum) else parsed(kind)
    return read(raw, kind)


def mapping(raw: object, kind: Any) -> Mapping[str, object]:
    if not isinstance(raw, Table):
        raise wrong(raw, described(raw), "a mapping")
    found = Findings()
    result = {}
    for key, value in raw.given().items():
        with found.caught():
            result[key] = CONVERTER.structure(value, get_args(kind)[1])
    found.conclude()
    return result


def sequence(raw: object, kind: Any) -> Sequence[object]:
    if not isinstance(raw, Items):
        raise wrong(raw, described(raw), "a list such as [a, b]")
    found = Findings()
    result = []
    for value in raw:
        with found.caught():
            result.append(CONVERTER.structure(value, get_args(kind)[0]))
    found.conclude()
    return tuple(result)


def argument(raw: object, _kind: object) -> Argument:
    text = text_of(raw)
    return Argument(str(text), hidden=text.shown != text)


def credential_of(raw: object, _kind: object) -> Credential:
    """A literal, or `file:/path`; readable now."""
    text = text_of(raw)
    scheme, colon, _ = text.shown.partition(":")
    if colon and scheme in ("vault", "aws-sm"):
        raise wrong(
            text, f"a reference to {scheme}", "${NAME}, file:/path or a literal; others are not part of this version"
        )
    file = file_of(text)
    credential = Credential(file=file) if file else Credential(literal=Secret(str(text)))
    try:
        checked(credential.resolve())
    except ValueError as error:
        raise wrong(text, str(error), "a credential in one line of printable text") from None
    return credential


def account_hook(**hooks: Hook) -> Hook:
    """An account whose credentials are all different."""
    fields = class_hook(AccountSettings, **hooks)

    def hook(raw: object, kind: object) -> AccountSettings:
        account: AccountSettings = fields(raw, kind)
        assert isinstance(raw, Table)
        seen = {account.credential.resolve(): "credential"}
        for label, spare in (account.spares or {}).items():
            secret = spare.resolve()
            if secret in seen:
                spares = raw["spares"]
                assert isinstance(spares, Table)
                raise wrong(spares[label], f"the same as {seen[secret]}", "a credential of its own")
            seen[secret] = label
        return account

    return hook


def rule_hook() -> Hook:
    """Thresholds, of which the critical one must be below the other."""
    fields = class_hook(Rule)

    def hook(raw: object, kind: object) -> Rule:
        rule: Rule = fields(raw, kind)
        low, high = rule.critical, rule.warning
        if low and high and low.percent == high.percent and low.number >= high.number:
            assert isinstance(raw, Table)
            warning, critical = text_of(raw["warning"]), text_of(raw["critical"])
            raise wrong(critical, critical.shown, f"below {warning.path}, {warning.shown}")
        return rule

    return hook
