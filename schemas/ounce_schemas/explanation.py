"""What a model's card says of explanations: what each input added to an answer's score."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from ounce_schemas.latency import Latency
from ounce_schemas.task import Document

EXPLAINED_MARK = " explained"
"""Behind the name of a model: what explains it."""
Method = Literal["exact", "tree-shap", "tree-paths", "rescale", "occlusion"]
"""How contributions are found.

- `exact`: the score is a sum of terms, and each belongs to one input, or half to each of two.
- `tree-shap`: Shapley values of every tree, by the shares of training rows at its branches.
- `tree-paths`: what changes of a tree's mean at each branch that a row takes.
- `rescale`: what an input carries of a network's change over the reference, from layer to layer
  (DeepLIFT's rule of that name).
- `occlusion`: what the score loses where an input is replaced by that of the reference. What these
  differences leave of the score is shared out in proportion to their sizes.
"""
Score = Literal["log-odds", "probability", "value", "anomaly-score"]
"""What contributions add up to, with the base.

- `log-odds`: of the answered label against the others: the logarithm of its probability, less the
  mean of the logarithms of theirs.
- `probability`: of the answered label, as the trees say it, before it is calibrated.
- `value`: the value that is answered.
- `anomaly-score`: the model's own score, before it becomes a p-value.
"""
MOST_INPUTS = 256
"""Contributions of one answer."""


class ExplanationOutcome(StrEnum):
    """What became of a message that asked for an explanation."""

    GIVEN = "given"
    NO_MODEL = "no-model"
    """None that may answer explains."""
    TARGETS = "targets"
    """None that explains meets its targets."""


class ExplainedText(Document):
    """Where a text is whose contributions a graph gives byte by byte."""

    tensor: str
    place: int = Field(ge=0, description="Among the texts of one item")
    size_bytes: int = Field(ge=1, description="That the graph reads of it")


class Explanation(Document):
    """What `explanation.onnx` does, beside the model: it answers as the model does, and says what
    each input contributed.

    Its one output `explained` has the shape (n_items, output size + 1 + width): the answer, the
    base, and a contribution for each input, of a text for each of its bytes. The base and the
    contributions add up to the score.
    """

    method: Method
    score: Score
    inputs: Annotated[tuple[str, ...], Field(min_length=1, max_length=MOST_INPUTS)] = Field(
        description="What contributions are of, in order: columns, blocks of pixels, steps, bytes"
    )
    texts: dict[str, ExplainedText] = Field(
        default_factory=dict,
        description="Of the inputs, the texts whose contributions the graph gives byte by byte; "
        "answers hold them word by word",
    )
    reference: dict[str, tuple[float | str | None, ...]] = Field(
        default_factory=dict,
        description="Of `rescale` and `occlusion`, by tensor: the item that contributions are "
        "held against, a value for each column or channel",
    )
    largest_error: float = Field(
        ge=0,
        description="By which base and contributions miss the score of a test item, over the "
        "greater of 1 and the score",
    )
    latency: Latency = Field(description="Of an answer with its explanation")
    size_bytes: int = Field(ge=1)
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] = Field(
        description="Digest of explanation.onnx"
    )

    @property
    def width(self) -> int:
        """Contributions that the graph gives of an item."""
        sizes = [text.size_bytes for text in self.texts.values()]
        return len(self.inputs) - len(sizes) + sum(sizes)
