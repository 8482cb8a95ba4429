"""An answer may echo the credential: nothing we say may."""

import pytest

from token_monitor.core.errors import Failure, SourceError
from token_monitor.core.secret import Secret
from token_monitor.sources.dialect import Expression, Extract, JsonEndpoint
from token_monitor.sources.extract import extract

CREDENTIAL = Secret("canary-credential-123456")


def test_a_key_that_is_the_credential_is_masked_where_the_keys_are_told() -> None:
    with pytest.raises(SourceError) as caught:
        extract(JsonEndpoint(), {CREDENTIAL.reveal(): 5, "left": 5})
    assert "canary" not in str(caught.value)
    assert "left" in str(caught.value)


def test_a_unit_that_is_the_credential_is_refused() -> None:
    settings = JsonEndpoint(quantities={"balance": Extract(unit_from=Expression("u"))})
    with pytest.raises(SourceError) as caught:
        extract(settings, {"balance": 5, "u": f"per {CREDENTIAL.reveal()}"})
    assert caught.value.kind is Failure.INVALID
