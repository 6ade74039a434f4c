"""A registry that tests of framed bodies share."""

from collections.abc import Iterator

import pytest
from ounce_edge.broker.schema_registry import SchemaRegistry

from tests.support.schema_registry import registry_url


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with registry_url() as url:
        yield url


@pytest.fixture(scope="module")
def schemas(url: str) -> SchemaRegistry:
    return SchemaRegistry(url, timeout_s=60)
