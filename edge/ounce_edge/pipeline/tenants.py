"""Whose requests these are: the tenant that a header names."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.request import HEADER_TENANT

from ounce_edge.wire.header_names import by_usual_names
from ounce_edge.wire.records import Headers
from ounce_edge.wire.requests.request_head import RequestHead


class TenantShare(NamedTuple):
    """Requests of one tenant in a group that was answered."""

    tenant: bytes | None
    """As it was sent; None: nobody's."""
    n: int
    deadline_misses: int
    floor_misses: int


def tenant_shares(
    heads: Sequence[RequestHead], is_late: NDArray[np.bool_], is_under: NDArray[np.bool_]
) -> Sequence[TenantShare]:
    """A group's requests by tenant.

    Args:
        heads: of the requests.
        is_late: whether each was answered after its deadline; shape (n,).
        is_under: whether the floor of each was missed; shape (n,).

    Returns:
        Empty where no request names a tenant.
    """
    tenants = [head.tenant or None for head in heads]
    first = tenants[0]
    if tenants.count(first) == len(tenants):
        if first is None:
            return ()
        return [TenantShare(first, len(tenants), int(is_late.sum()), int(is_under.sum()))]
    found: dict[bytes | None, list[int]] = {}
    for tenant, late, under in zip(tenants, is_late.tolist(), is_under.tolist(), strict=True):
        counts = found.setdefault(tenant, [0, 0, 0])
        counts[0] += 1
        counts[1] += late
        counts[2] += under
    return [TenantShare(tenant, *counts) for tenant, counts in found.items()]


def tenant_of(headers: Headers | None) -> bytes | None:
    """The tenant of a record, from its headers alone."""
    return by_usual_names(headers).get(HEADER_TENANT) or None
