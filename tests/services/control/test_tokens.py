"""Tokens of a provider: whose are taken, and what happens while it is away."""

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from ounce_services.control.access.principal import Role
from ounce_services.control.access.tokens import Provider, Tokens
from ounce_services.control.errors import ProviderAwayError, UnauthorizedError
from ounce_services.control.plane import Plane


@pytest.fixture
def provider() -> Iterator[tuple[Provider, rsa.RSAPrivateKey]]:
    """An OpenID Connect provider that publishes one key, and that key."""
    key = rsa.generate_private_key(65537, 2048)
    published = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key())) | {"kid": "k1"}

    class Jwks(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"keys": [published]}).encode()
            if self.path != "/jwks":
                body = b"<html>sorry"
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Jwks) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/jwks"
        yield Provider("https://id.example", "ounce", url), key
        server.shutdown()
        thread.join()


def test_a_token_of_the_provider_is_taken_and_any_other_refused(
    provider: tuple[Provider, rsa.RSAPrivateKey],
) -> None:
    tokens, key = Tokens(provider[0]), provider[1]
    good = {
        "iss": "https://id.example", "aud": "ounce", "sub": "bob", "exp": time.time() + 60,
        "ounce-role": "editor", "ounce-tenant": "acme",
    }  # fmt: skip

    def token(of: object = key, algorithm: str = "RS256", **changes: object) -> str:
        claims = {name: v for name, v in (good | changes).items() if v is not None}
        return jwt.encode(claims, of, algorithm, headers={"kid": "k1"})

    found = tokens.find(token())
    assert (found.name, found.role, found.tenant) == ("bob", Role.EDITOR, "acme")
    assert tokens.find(token(**{"ounce-tenant": None})).tenant is None
    bad = [
        token(exp=time.time() - 60),
        token(exp=None),
        token(iss="https://other.example"),
        token(aud="another"),
        token(**{"ounce-role": "king"}),
        token(**{"ounce-role": None}),
        token(**{"ounce-tenant": ["acme"]}),
        token(**{"ounce-tenant": ""}),
        token(rsa.generate_private_key(65537, 2048)),
        token("shared secret that has thirty-two bytes", "HS256"),
        token(None, "none"),
        token(ec.generate_private_key(ec.SECP256R1()), "ES256"),
        "a.b.c",
    ]
    for text in bad:
        with pytest.raises(UnauthorizedError):
            tokens.find(text)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/jwks", "PAGE"])
def test_a_provider_that_is_away_is_told_as_that_and_locks_nobody_out(
    provider: tuple[Provider, rsa.RSAPrivateKey],
    plane: Plane,
    monkeypatch: pytest.MonkeyPatch,
    url: str,
) -> None:
    there, key = provider
    claims = {
        "iss": there.issuer, "aud": "ounce", "sub": "bob", "exp": time.time() + 60,
        "ounce-role": "viewer",
    }  # fmt: skip
    token = jwt.encode(claims, key, "RS256", headers={"kid": "k1"})
    page = there.jwks_url.replace("/jwks", "/page")
    away = Tokens(replace(there, jwks_url=page if url == "PAGE" else url))
    monkeypatch.setattr(plane.gate, "tokens", away)
    for _ in range(30):
        with pytest.raises(ProviderAwayError, match="can't be had now"):
            plane.gate.enter(token, None, "a")
    with pytest.raises(UnauthorizedError, match="not valid"):
        plane.gate.enter("no token", None, "a")
    monkeypatch.setattr(plane.gate, "tokens", Tokens(there))
    assert plane.gate.enter(token, None, "a").name == "bob"


def test_tokens_that_name_unknown_keys_do_not_flood_the_provider(
    provider: tuple[Provider, rsa.RSAPrivateKey], monkeypatch: pytest.MonkeyPatch
) -> None:
    there, key = provider
    now_s, asked = [1000.0], list[str]()
    fetch = jwt.PyJWKClient.fetch_data

    def counted(client: jwt.PyJWKClient) -> object:
        asked.append(client.uri)
        return fetch(client)

    def token(kid: str) -> str:
        claims = {
            "iss": there.issuer, "aud": "ounce", "sub": "bob", "exp": time.time() + 60,
            "ounce-role": "viewer",
        }  # fmt: skip
        return jwt.encode(claims, key, "RS256", headers={"kid": kid})

    monkeypatch.setattr(jwt.PyJWKClient, "fetch_data", counted)
    tokens = Tokens(there, clock_s=lambda: now_s[0])
    assert tokens.find(token("k1")).name == "bob"
    for i in range(20):
        with pytest.raises(UnauthorizedError, match=f"the provider has no key 'x{i}'"):
            tokens.find(token(f"x{i}"))
    assert len(asked) == 1

    now_s[0] += 10.0
    tokens._client.uri = there.jwks_url.replace("/jwks", "/page")
    for i in range(20):
        with pytest.raises(ProviderAwayError):
            tokens.find(token(f"x{i}"))
        assert tokens.find(token("k1")).name == "bob"
    assert len(asked) == 2

    now_s[0] += 300.0
    with pytest.raises(ProviderAwayError):
        tokens.find(token("k1"))
    now_s[0] += 10.0
    tokens._client.uri = there.jwks_url
    assert tokens.find(token("k1")).name == "bob"
