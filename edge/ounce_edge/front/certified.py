"""Whom a caller's certificate names: its device and its tenant. Pure."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote

from ounce_edge.front.asking import HEADER_DEVICE
from ounce_edge.front.statuses import NotAnsweredError

_TENANT = "ce-tenant"


def certified_headers(
    certificate: Mapping[str, Any], called: Mapping[str, str]
) -> list[tuple[str, str]]:
    """Headers that say who calls: the device is the common name of the certificate's subject, the
    tenant its organization. One without an organization is of no tenant.

    Args:
        certificate: as `ssl.SSLSocket.getpeercert` tells it.
        called: headers of the call.

    Raises:
        NotAnsweredError: the certificate has no common name, or the call names others than it.
    """
    subject = {name: value for part in certificate.get("subject", ()) for name, value in part}
    device, tenant = subject.get("commonName", ""), subject.get("organizationName", "")
    if not device:
        raise NotAnsweredError(403, "the certificate names no device: its subject needs a CN")
    said_device = called.get(HEADER_DEVICE, device)
    said_tenant = unquote(called.get(_TENANT, tenant))
    if said_device != device:
        text = f"{HEADER_DEVICE} is {said_device[:80]!r}, the certificate is of {device!r}"
        raise NotAnsweredError(403, text)
    if said_tenant != tenant:
        whose = repr(tenant) if tenant else "no tenant"
        text = f"{_TENANT} is {said_tenant[:80]!r}, the certificate is of {whose}"
        raise NotAnsweredError(403, text)
    return [(HEADER_DEVICE, device), (_TENANT, quote(tenant))]
