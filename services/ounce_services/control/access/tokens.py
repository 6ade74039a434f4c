"""Bearer tokens of an OpenID Connect provider, checked by its published keys (JWKS)."""

import logging
import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from ounce_services.control.access.principal import Principal, Role
from ounce_services.control.errors import ProviderAwayError, UnauthorizedError

_log = logging.getLogger(__name__)

_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"]
"""None with a shared secret: a public key must never be taken for one."""
_KEPT_S = 300
_AGAIN_S = 5.0
"""From one question to the provider to the next, however many tokens name unknown keys."""
_LEEWAY_S = 30


@dataclass(frozen=True)
class Provider:
    """Whose tokens are taken.

    Attributes:
        issuer: must be the token's `iss`.
        audience: must be in its `aud`.
        jwks_url: where the provider publishes its keys.
        role_claim: claim that names the role.
        tenant_claim: claim that names the tenant; a token without it is for all tenants.
    """

    issuer: str
    audience: str
    jwks_url: str
    role_claim: str = "ounce-role"
    tenant_claim: str = "ounce-tenant"


@dataclass(frozen=True)
class _Published:
    """Keys that the provider publishes.

    Attributes:
        keys: by their ids.
        until_s: when they must be read again, by the monotonic clock.
    """

    keys: Mapping[str, jwt.PyJWK]
    until_s: float


class Tokens:
    """Finds out who brings a token."""

    def __init__(
        self,
        provider: Provider,
        timeout_s: float = 5.0,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._provider = provider
        self._client = jwt.PyJWKClient(provider.jwks_url, timeout=timeout_s)
        self._clock_s = clock_s
        self._published = _Published({}, -math.inf)
        self._again_s = -math.inf
        self._is_away = False
        self._reading = threading.Lock()

    def find(self, text: str) -> Principal:
        """Whose token it is.

        Raises:
            UnauthorizedError: it is not valid, or names no role.
            ProviderAwayError: its key is not known, and the provider's keys can't be had now.
        """
        try:
            key = self._key(str(jwt.get_unverified_header(text).get("kid")))
            claims = jwt.decode(
                text,
                key.key,
                algorithms=_ALGORITHMS,
                audience=self._provider.audience,
                issuer=self._provider.issuer,
                leeway=_LEEWAY_S,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except (jwt.PyJWTError, TypeError, ValueError) as e:
            # TypeError: its algorithm is for other keys than the one that it names
            raise UnauthorizedError(f"the token is not valid: {e}") from e
        return self._principal(claims)

    def _key(self, id_: str) -> jwt.PyJWK:
        """The key of an id. Whose key is known waits for nobody else's."""
        if (key := self._known(id_)) is not None:
            return key
        with self._reading:
            if self._known(id_) is None and self._clock_s() >= self._again_s:
                self._read()
        if (key := self._known(id_)) is not None:
            return key
        if self._is_away:
            raise ProviderAwayError(
                "the keys of the provider of tokens can't be had now: try again, or bring an API "
                "key"
            )
        raise UnauthorizedError(f"the token is not valid: the provider has no key {id_!r}")

    def _known(self, id_: str) -> jwt.PyJWK | None:
        published = self._published
        return published.keys.get(id_) if self._clock_s() < published.until_s else None

    def _read(self) -> None:
        """Ask the provider for its keys."""
        try:
            found = self._client.get_signing_keys(refresh=True)
        except (jwt.PyJWTError, OSError, ValueError) as e:  # ValueError: it sends no JSON
            self._is_away = True
            _log.warning("%s gives no keys: %s", self._provider.jwks_url, e)
        else:
            self._is_away = False
            keys = {str(key.key_id): key for key in found}
            self._published = _Published(keys, self._clock_s() + _KEPT_S)
        self._again_s = self._clock_s() + _AGAIN_S

    def _principal(self, claims: Mapping[str, Any]) -> Principal:
        provider = self._provider
        try:
            role = Role(str(claims.get(provider.role_claim)))
        except ValueError:
            raise UnauthorizedError(
                f"the token's claim {provider.role_claim} is none of {', '.join(Role)}"
            ) from None
        tenant = claims.get(provider.tenant_claim)
        if tenant is not None and not (isinstance(tenant, str) and tenant):
            raise UnauthorizedError(f"the token's claim {provider.tenant_claim} is no text")
        name = "".join(c for c in str(claims["sub"])[:200] if c.isprintable())
        return Principal(name or "nameless", role, tenant)
