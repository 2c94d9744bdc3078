"""The door: hosts, origins, the token."""

import pytest
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from jaxdigits.page.guard import Guard, Rules

APP = PlainTextResponse("in")


def status(rules, path="/", **headers):
    client = TestClient(Guard(APP, rules), base_url="http://localhost:8000")
    return client.get(path, headers=headers, follow_redirects=False).status_code


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost:8000", 200), ("127.0.0.1:8000", 200), ("[::1]:8000", 200),
        ("LOCALHOST", 200), ("evil.example", 421), ("127.0.0.1.evil.example", 421),
        ("[", 421), ("", 421), ("evil.example@localhost:8000", 200),
    ],
)  # fmt: skip
def test_only_names_of_this_machine_are_hosts(host, expected):
    assert status(Rules(), host=host) == expected


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        ("http://localhost:8000", 200), ("http://evil.example", 403), ("null", 403),
        ("http://localhost:9", 403), ("http://[", 403),
    ],
)  # fmt: skip
def test_another_site_may_not_use_the_page(origin, expected):
    assert status(Rules(), origin=origin) == expected


def test_beyond_this_machine_each_request_needs_the_token():
    rules = Rules(hosts=(), token="secret")
    assert status(rules, host="desk.example") == 401
    assert status(rules, authorization="Bearer secret", host="desk.example") == 200
    assert status(rules, authorization="Bearer secre") == 401
    assert status(rules, authorization="Basic secret") == 401
    assert status(rules, "/?token=other") == 401
    assert status(rules, "/predict?token=secret") == 401
    assert status(rules, "/?" + "a&" * 120) == 401
    assert status(rules, cookie="jaxdigits=secret") == 200
    assert status(rules, cookie=b"jaxdigits=\xdf; x") == 401


def test_the_address_with_the_token_sets_a_cookie_once():
    client = TestClient(Guard(APP, Rules((), "secret")), base_url="http://desk.example:8000")
    reply = client.get("/?token=secret", follow_redirects=False)
    assert (reply.status_code, reply.headers["location"]) == (303, "/")
    assert "httponly" in reply.headers["set-cookie"].lower()
    assert "samesite=strict" in reply.headers["set-cookie"].lower()
    assert client.get("/").text == "in"
    assert client.get("/", headers={"origin": "http://evil.example"}).status_code == 403


def test_every_answer_has_the_headers_of_the_door():
    client = TestClient(Guard(APP, Rules()), base_url="http://localhost:8000")
    for headers in ({}, {"host": "evil.example"}):
        answer = client.get("/", headers=headers)
        assert answer.headers["content-security-policy"].startswith("default-src 'self'")
        assert answer.headers["x-content-type-options"] == "nosniff"
