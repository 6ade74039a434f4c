"""Bearer tokens of an OpenID Connect provider, checked by its published keys (JWKS)."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from ounce_services.control.access.principal import Principal, Role
from ounce_services.control.errors import ProviderAwayError, UnauthorizedError

_log = logging.getLogger(__name__)

_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"]
"""None with a shared secret: a public key must never be taken for one."""
_KEPT_S = 300
_COOLDOWN_S = 5.0
"""So long a key that the provider has just begun to use may be unknown."""
_AGAIN_S = 5.0
"""From one try to reach a provider that is away to the next."""
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


class Tokens:
    """Finds out who brings a token."""

    def __init__(self, provider: Provider, timeout_s: float = 5.0) -> None:
        self._provider = provider
        self._keys = jwt.PyJWKClient(
            provider.jwks_url,
            lifespan=_KEPT_S,
            timeout=timeout_s,
            cooldown_duration=_COOLDOWN_S,
        )
        self._again_s = 0.0

    def find(self, text: str) -> Principal:
        """Whose token it is.

        Raises:
            UnauthorizedError: it is not valid, or names no role.
            ProviderAwayError: the provider's keys can't be had now.
        """
        self._have_keys()
        try:
            key = self._keys.get_signing_key_from_jwt(text)
            claims = jwt.decode(
                text,
                key.key,
                algorithms=_ALGORITHMS,
                audience=self._provider.audience,
                issuer=self._provider.issuer,
                leeway=_LEEWAY_S,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except jwt.PyJWTError as e:
            raise UnauthorizedError(f"the token is not valid: {e}") from e
        return self._principal(claims)

    def _have_keys(self) -> None:
        """Read the provider's keys, unless they were read lately."""
        why = "the keys of the provider of tokens can't be had now: try again, or bring an API key"
        if time.monotonic() < self._again_s:
            raise ProviderAwayError(why)
        try:
            self._keys.get_jwk_set()
        except (jwt.PyJWTError, ValueError) as e:  # ValueError: what it sends is no JSON
            self._again_s = time.monotonic() + _AGAIN_S
            _log.warning("%s gives no keys, tokens are not taken: %s", self._provider.jwks_url, e)
            raise ProviderAwayError(why) from e

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
