"""The words in which a user says where the numbers are in a provider's JSON answer."""

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Final, Self

import jmespath
from attrs import field, frozen
from jmespath.exceptions import JMESPathError
from jmespath.parser import ParsedResult

from token_monitor.core.errors import Failure, SourceError
from token_monitor.core.secret import Secret
from token_monitor.core.url import Endpoint
from token_monitor.sources.functions import ExactFunctions, unknown_functions

# JMESPath lets what Python's operators raise on odd operands pass: `'text' > 5`, `merge(null)`, NaN.
_MISFITS: Final = (JMESPathError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError, RecursionError)
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2

DEFAULT_ENDPOINT = "https://api.facefusion.cloud/v1/balance"


class Expression:
    """A JMESPath expression (https://jmespath.org/specification.html). It selects; we do the arithmetic."""

    __slots__ = ("_compiled", "_options", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._compiled: ParsedResult = jmespath.compile(text)
        self._options = jmespath.Options(custom_functions=ExactFunctions())

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError: it is not JMESPath."""
        try:
            expression = cls(text)
        except JMESPathError as error:
            raise ValueError(f"a JMESPath expression; {' '.join(str(error).split())}") from None
        except RecursionError:
            raise ValueError("a JMESPath expression; this one is nested too deeply") from None
        for name in unknown_functions(expression._compiled.parsed):
            raise ValueError(f"a JMESPath expression; it has no function {name}()")
        return expression

    def select(self, document: object) -> object:
        """What it selects; None where there is nothing.

        Raises SourceError INVALID: a function or a comparison in it does not fit the document.
        """
        try:
            return self._compiled.search(document, self._options)
        except _MISFITS:
            raise SourceError(Failure.INVALID, f"{self} does not fit the answer") from None

    def __str__(self) -> str:
        return self.text

    __repr__ = __str__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Expression) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)


class AuthScheme(StrEnum):
    """How the credential travels.

    bearer: `Authorization: Bearer …`. header: the bare credential in `auth.name`. basic: `user:password`, encoded.
    query: as the parameter `auth.name`.
    """

    BEARER = "bearer"
    HEADER = "header"
    BASIC = "basic"
    QUERY = "query"


def _fits_header(value: str) -> bool:
    return value.isascii() and value.isprintable()


@frozen
class Auth:
    """name: of the header or the query parameter. prefix: put before the credential in a header (`Token `)."""

    scheme: AuthScheme = AuthScheme.BEARER
    name: str = ""
    prefix: str = ""

    def __attrs_post_init__(self) -> None:
        if self.scheme is AuthScheme.QUERY and not self.name:
            raise ValueError("scheme query without a name; add auth.name, the name of the query parameter")
        if self.prefix and self.scheme is not AuthScheme.HEADER:
            raise ValueError(f"prefix with scheme {self.scheme}; a prefix goes with scheme header")
        if self.name and self.scheme in (AuthScheme.BEARER, AuthScheme.BASIC):
            raise ValueError(f"name with scheme {self.scheme}; a name goes with scheme header or query")
        if self.name and self.scheme is AuthScheme.HEADER and not _HEADER_NAME.fullmatch(self.name):
            raise ValueError("name that no header can have; letters, digits and -")
        if not _fits_header(self.prefix):
            raise ValueError("prefix with a character that no header can carry; printable ASCII")


class JsonText(str):
    """A JSON document, sent as written."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError: it is not JSON."""
        try:
            json.loads(text)
        except ValueError as error:
            raise ValueError(f'JSON text such as \'{{"query": "…"}}\'; {error}') from None
        return cls(text)


class Method(StrEnum):
    GET = "GET"
    POST = "POST"


@frozen
class Extract:
    """One quantity of an answer.

    value: the number; without it, `limit` less `used`.
    unit: a fixed unit; unit_from: where the answer names it.
    available: must select true or false; false means exhausted. unlimited: true means nothing counts down.
    reset_at: seconds or milliseconds since 1970, or RFC 3339.
    scale: value, limit and used are multiplied by it; may be negative.
    """

    value: Expression | None = None
    limit: Expression | None = None
    used: Expression | None = None
    unit: str = ""
    unit_from: Expression | None = None
    available: Expression | None = None
    unlimited: Expression | None = None
    reset_at: Expression | None = None
    scale: Decimal = Decimal(1)

    def __attrs_post_init__(self) -> None:
        if self.value is None and self.used is not None and self.limit is None:
            raise ValueError("used without value or limit; what is left is limit less used")
        if self.value is not None and self.used is not None:
            raise ValueError("both value and used; give value, or limit and used")
        if self.unit and self.unit_from is not None:
            raise ValueError("both unit and unit_from; give one")
        if self.scale == 0:
            raise ValueError("scale 0; a factor such as 0.01 or -1")


@frozen
class JsonEndpoint:
    """The provider `generic`: one URL that answers in JSON.

    body: sent as it is, with POST.
    headers: extra ones, literal.
    ok_when: must select something true, else the answer is an error whatever its status.
    """

    endpoint: Endpoint = field(factory=lambda: Endpoint(DEFAULT_ENDPOINT))
    method: Method = Method.GET
    body: JsonText | None = None
    auth: Auth = Auth()
    headers: Mapping[str, Secret] = field(factory=dict)
    ok_when: Expression | None = None
    quantities: Mapping[str, Extract] = field(factory=lambda: {"balance": Extract()})

    def __attrs_post_init__(self) -> None:
        blind = [name for name, how in self.quantities.items() if how.value is None and how.used is None]
        if len(self.quantities) > 1 and blind:
            raise ValueError(f"quantities {', '.join(blind)} without value or used; each of several needs its own")
        if self.body is not None and self.method is not Method.POST:
            raise ValueError("body with method GET; a body goes with method POST")
        for name, value in self.headers.items():
            if not _HEADER_NAME.fullmatch(name):
                raise ValueError("headers with a name that no header can have; letters, digits and -")
            if not _fits_header(value.reveal()) or value.reveal() != value.reveal().strip():
                raise ValueError(f"header {name} with a character that no header can carry; printable ASCII")
