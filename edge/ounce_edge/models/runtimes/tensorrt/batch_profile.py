"""Batch sizes that an engine takes, and the few that calls are padded to."""

from dataclasses import dataclass

from ounce_schemas.errors import ArtifactError


@dataclass(frozen=True)
class BatchProfile:
    """An engine takes 1 to `most` items, and is tuned for `best`.

    Raises:
        ArtifactError: not 1 <= best <= most.
    """

    best: int = 32
    most: int = 256

    def __post_init__(self) -> None:
        if not 1 <= self.best <= self.most:
            raise ArtifactError(
                f"a batch profile of best {self.best} and most {self.most} items: "
                "1 <= best <= most is needed"
            )

    @property
    def lighter(self) -> tuple["BatchProfile", ...]:
        """Profiles of fewer items, which need less memory."""
        fewer = {min(self.best, self.most - 1), 1} - {0, self.most}
        return tuple(BatchProfile(most, most) for most in sorted(fewer, reverse=True))

    @property
    def buckets(self) -> tuple[int, ...]:
        """Powers of two below `most`, and `most`, ascending."""
        sizes = [1]
        while sizes[-1] * 2 < self.most:
            sizes.append(sizes[-1] * 2)
        return tuple(sizes) if sizes[-1] == self.most else (*sizes, self.most)

    def bucket_of(self, n: int) -> int:
        """The least bucket that holds `n` items, 1 <= n <= most."""
        return next(size for size in self.buckets if size >= n)
