"""JMESPath's functions for a document whose numbers are int and Decimal."""

from collections.abc import Iterator
from decimal import Context, Decimal

from jmespath.functions import Functions, signature

from token_monitor.core.number import parse_decimal

_EXACT = Context(prec=100)


class ExactFunctions(Functions):
    """The library's `to_number` cuts a Decimal to an integer (0.5 becomes 0), and its `sum` refuses one."""

    @signature({"types": []})
    def _func_to_number(self, value: object) -> Decimal | None:
        if _is_number(value):
            return Decimal(value)  # type: ignore[arg-type]
        try:
            return parse_decimal(value) if isinstance(value, str) else None
        except ValueError:
            return None

    @signature({"types": ["array"]})
    def _func_sum(self, values: list[object]) -> Decimal | None:
        """Of nothing it is null, not the 0 of the specification: a list may be empty because its key was renamed."""
        if not values or not all(map(_is_number, values)):
            return None
        total = Decimal(0)
        for value in values:
            total = _EXACT.add(total, Decimal(value))  # type: ignore[arg-type]
        return total


def unknown_functions(node: object) -> Iterator[str]:
    """The names of functions in a parsed expression that do not exist; the library finds out when they are called."""
    if isinstance(node, dict):
        if node["type"] == "function_expression" and node["value"] not in ExactFunctions.FUNCTION_TABLE:
            yield node["value"]
        for child in node["children"]:
            yield from unknown_functions(child)


def _is_number(value: object) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)
