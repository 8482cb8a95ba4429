import pytest

from support import services

MISSING = "a-program-nobody-has-installed"


def test_a_program_that_is_there_is_returned_with_its_full_path():
    assert services.require("sh").is_absolute()


def test_a_missing_program_skips_the_test_and_names_the_program(monkeypatch):
    monkeypatch.delenv("CI", raising=False)

    with pytest.raises(pytest.skip.Exception, match=MISSING):
        services.require(MISSING)


def test_a_missing_program_fails_the_test_under_ci(monkeypatch):
    monkeypatch.setenv("CI", "true")

    with pytest.raises(pytest.fail.Exception, match=MISSING):
        services.require(MISSING)
