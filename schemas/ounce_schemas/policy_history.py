"""Versions of the policy on the compacted topic `ounce.policies`.

Each version is a record under a key of its own, so that compaction keeps all of them. The current
one is the last. Two who append at once both write, and the log's order says whose counts: a version
counts only where it is based on the one that was current before it. Who reads finds the same
history at every time, also between the two records.

A later Ounce may add fields. A version with unknown ones counts, so that the next one can be based
on it, but nobody serves under it who does not know them.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, NamedTuple

from pydantic import AwareDatetime, Field, ValidationError

from ounce_schemas.canary import Canary, Shadow
from ounce_schemas.documents import parse_policy
from ounce_schemas.errors import PolicyError
from ounce_schemas.policy import Policy
from ounce_schemas.refusals import LATER, describe, describe_made
from ounce_schemas.task import OpenDocument

_KEY = "version"

Number = Annotated[int, Field(ge=1, le=10**9)]


class PolicyVersion(OpenDocument):
    """One version, as it is written. It never changes."""

    number: Number
    base: int = Field(ge=0, description="Number of the version before it; 0: it is the first")
    id: str = Field(min_length=1, max_length=64, description="Of this attempt to write it")
    author: str = Field(min_length=1, max_length=200)
    at: AwareDatetime
    note: str = Field(default="", max_length=2000)
    restores: Number | None = Field(
        default=None, description="The version whose policy this one has again"
    )
    promotes: Number | None = Field(
        default=None, description="The version whose canary this one puts in force for all"
    )
    document: str = Field(description="The policy as YAML, as its author wrote it")
    canary: Canary | None = Field(
        default=None, description="Another policy that a share of the devices has on trial"
    )

    shadow: Shadow | None = Field(
        default=None, description="Another policy whose answers are not published as such"
    )

    @property
    def key(self) -> bytes:
        """Of its record."""
        return f"{_KEY}/{self.number:09d}/{self.id}".encode()

    @property
    def name(self) -> str:
        """What answers and metrics call it."""
        return f"v{self.number}"

    def policy(self) -> Policy:
        """The policy, named after this version.

        Raises:
            PolicyError: the document is none, or the version has fields that are not known here.
        """
        if unknown := self._all_unknown():
            raise PolicyError(
                f"policy {self.name} has unknown fields: {', '.join(unknown)}; {LATER}"
            )
        policy = parse_policy(self.document, f"policy {self.name}")
        return policy.model_copy(update={"version": self.name})

    def _all_unknown(self) -> list[str]:
        trials = {"canary": self.canary, "shadow": self.shadow}
        beside = (f"{k}.{field}" for k, trial in trials.items() if trial for field in trial.unknown)
        return [*self.unknown, *beside]

    def holds(self, change: "Change") -> bool:
        """Whether a change asks for what is in force with this version."""
        trials = (self.canary, self.shadow, change.canary, change.shadow)
        return not any(trials) and self.document == change.document

    def made(self) -> str:
        """Author and time."""
        return f"by {self.author} at {self.at:%Y-%m-%dT%H:%M:%SZ}"

    def summary(self) -> str:
        """Author, time and note."""
        return f"{self.made()}: {self.note}" if self.note else self.made()


def read_version(value: bytes) -> PolicyVersion:
    """The version that a record holds.

    Raises:
        PolicyError: none.
    """
    try:
        return PolicyVersion.model_validate_json(value)
    except ValidationError as e:
        raise PolicyError(f"not a version of the policy: {describe_made(e)}") from e


class PolicyHistory:
    """All versions, as far as the topic was read."""

    def __init__(self) -> None:
        self._versions: dict[int, PolicyVersion] = {}

    @property
    def current(self) -> PolicyVersion | None:
        """The version in force; None: there is none yet."""
        return self._versions[max(self._versions)] if self._versions else None

    @property
    def versions(self) -> Mapping[int, PolicyVersion]:
        """By number, ascending."""
        return self._versions

    def take(self, value: bytes | None) -> PolicyVersion | None:
        """Read on; records have to come in the order of the topic.

        Args:
            value: of the next record.

        Returns:
            The version that is in force now, where this record changes it.

        Raises:
            PolicyError: the record is no version; it changes nothing.
        """
        if value is None:  # who lost takes its record back
            return None
        version = read_version(value)
        before = self.current
        if before is not None and (version.number, version.base) != (
            before.number + 1,
            before.number,
        ):
            return None
        self._versions[version.number] = version
        return version

    def get(self, number: int) -> PolicyVersion:
        """One version.

        Raises:
            PolicyError: there is none of this number.
        """
        if number not in self._versions:
            known = f"1 to {max(self._versions)}" if self._versions else "none"
            raise PolicyError(f"there is no version {number} of the policy; there are {known}")
        return self._versions[number]


class Change(NamedTuple):
    """What an author wants to be in force."""

    document: str
    """The policy as YAML."""
    author: str
    note: str = ""
    restores: int | None = None
    """The version whose policy it is."""
    canary: Canary | None = None
    """What a share of the devices is to have on trial."""
    shadow: Shadow | None = None
    """What is to answer beside, without being published."""
    promotes: int | None = None
    """The version whose canary it puts in force for all."""

    @property
    def documents(self) -> tuple[str, ...]:
        """All policies of it."""
        beside = (trial.document for trial in (self.canary, self.shadow) if trial is not None)
        return (self.document, *beside)


def next_version(history: PolicyHistory, change: Change, id_: str, at: datetime) -> PolicyVersion:
    """The version that follows the current one.

    Raises:
        PolicyError: author or note are too long, or empty.
    """
    current = history.current
    base = 0 if current is None else current.number
    try:
        return PolicyVersion(number=base + 1, base=base, id=id_, at=at, **change._asdict())
    except ValidationError as e:
        raise PolicyError(describe(e)) from e
