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


@pytest.mark.parametrize(
    ("best", "most", "lighter"),
    [(32, 256, (32, 1)), (1, 256, (1,)), (8, 8, (7, 1)), (1, 2, (1,)), (1, 1, ())],
)
def test_profiles_that_need_less_memory(best: int, most: int, lighter: tuple[int, ...]) -> None:
    assert [profile.most for profile in BatchProfile(best, most).lighter] == list(lighter)


@pytest.mark.parametrize(("best", "most"), [(0, 1), (2, 1), (1, 0), (-1, 8)])
def test_a_profile_that_nothing_fits_is_refused(best: int, most: int) -> None:
    with pytest.raises(ArtifactError, match=rf"best {best} and most {most} items"):
        BatchProfile(best, most)
