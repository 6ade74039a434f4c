"""Buckets of an engine's batches."""

import pytest
from ounce_edge.models.runtimes.tensorrt.batch_profile import BatchProfile
from ounce_schemas.errors import ArtifactError


@pytest.mark.parametrize(
    ("most", "buckets"),
    [(1, (1,)), (2, (1, 2)), (8, (1, 2, 4, 8)), (100, (1, 2, 4, 8, 16, 32, 64, 100))],
)
def test_buckets_double_up_to_the_limit(most: int, buckets: tuple[int, ...]) -> None:
    profile = BatchProfile(best=1, most=most)
    assert profile.buckets == buckets
    for n in range(1, most + 1):
        assert profile.bucket_of(n) >= n
        assert all(bucket < n for bucket in buckets if bucket < profile.bucket_of(n))


@pytest.mark.parametrize(("best", "most"), [(0, 1), (2, 1), (1, 0), (-1, 8)])
def test_a_profile_that_nothing_fits_is_refused(best: int, most: int) -> None:
    with pytest.raises(ArtifactError, match=rf"best {best} and most {most} items"):
        BatchProfile(best, most)
