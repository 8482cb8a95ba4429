"""Each recipe for a source: the settings are loaded, a provider gives the answer, `check` prints what is written."""

from itertools import groupby

import pytest

from support.markdown import SOURCES, Block
from support.site import Site

HOST = "https://api.example.com"
RECIPES = {
    heading: {(block.language, block.use): block for block in group}
    for heading, group in groupby(SOURCES.blocks, key=lambda block: block.heading)
}


@pytest.mark.parametrize("heading", RECIPES)
def test_a_recipe_gives_what_it_says(site: Site, heading: str) -> None:
    recipe = RECIPES[heading]
    answer = recipe["json", "answer"].text
    site.provider.answer(body=answer.encode())
    environment = site.yaml(recipe["yaml", "config"].text.replace(HOST, "PROVIDER"), API_KEY="the-credential")
    done = site.run(environment, "check")
    assert done.out == recipe["text", "check"].text
    assert done.err == ""
    if ("http", "request") in recipe:
        assert_sent(site, recipe["http", "request"])


def assert_sent(site: Site, block: Block) -> None:
    """The request had what the block says: its first line, these headers among others, the body."""
    head, _, body = block.text.partition("\n\n")
    line, *headers = head.splitlines()
    (request,) = site.provider.requests
    assert f"{request.method} {request.path}" == line
    for header in headers:
        name, _, value = header.partition(": ")
        assert request.headers[name.lower()] == value
    assert request.body.decode() == body.removesuffix("\n")


def test_there_is_a_recipe_for_every_scheme_and_every_key() -> None:
    settings = "\n".join(recipe["yaml", "config"].text for recipe in RECIPES.values())
    for table in SOURCES.tables[:3]:
        for name in table.names:
            assert f"{name}:" in settings, name
    for scheme in ("header", "basic", "query"):
        assert f"scheme: {scheme}" in settings


def test_a_number_that_is_not_there_is_reported_with_the_names_the_answer_has(site: Site) -> None:
    site.provider.answer(body=b'{"credits": 5, "plan": "pro"}')
    assert site.run(site.account(), "check").out == (
        "facefusion/balance: unknown (the answer has no balance; it has: credits, plan)\n"
    )


@pytest.mark.parametrize("written", ["5", "0.10", '"12.50"', "1e3"])
def test_the_ways_to_write_a_number_that_the_document_names_are_read(site: Site, written: str) -> None:
    assert f"`{written}`" in SOURCES.prose
    site.provider.says(written)
    assert site.run(site.account(WARNING_THRESHOLD="0"), "check").status == 0


@pytest.mark.parametrize("written", ["true", "null", '""', "NaN", '"1,000"', "1" * 41, "1e31"])
def test_what_the_document_calls_a_failed_poll_is_one(site: Site, written: str) -> None:
    site.provider.says(written)
    done = site.run(site.account(), "check", "--json")
    assert (done.status, '"balance":null' in done.out) == (3, True)


def test_a_402_is_exhausted_with_an_unknown_balance(site: Site) -> None:
    assert "HTTP 402 is not a failure" in SOURCES.prose
    site.provider.answer(402)
    done = site.run(site.account(), "check", "--json")
    assert done.status == 2
    assert '"state":"exhausted","balance":null' in done.out
