"""An argument of a program."""

from attrs import field, frozen

from token_monitor.core.secret import MASK, MIN_LENGTH


@frozen
class Argument:
    """value: exactly what the program gets. hidden: it holds what was not written there, and so may be a secret.

    It is no `Secret`: what a variable holds may be a word as harmless as the name of an account, which `redact` would
    mask everywhere.
    """

    value: str = field(repr=False)
    hidden: bool = False

    def masked(self, text: str) -> str:
        """`text` without the value, if that is hidden and not so short that it would mask ordinary words."""
        return text.replace(self.value, MASK) if self.hidden and len(self.value) >= MIN_LENGTH else text

    def __str__(self) -> str:
        return MASK if self.hidden else self.value
