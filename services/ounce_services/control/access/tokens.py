"""Bearer tokens of an OpenID Connect provider, checked by its published keys (JWKS)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from ounce_services.control.access.principal import Principal, Role
from ounce_services.control.errors import UnauthorizedError

_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"]
"""None with a shared secret: a public key must never be taken for one."""
_KEPT_S = 300
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
        self._keys = jwt.PyJWKClient(provider.jwks_url, lifespan=_KEPT_S, timeout=timeout_s)

    def find(self, text: str) -> Principal:
        """Whose token it is.

        Raises:
            UnauthorizedError: it is not valid, or names no role.
        """
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
