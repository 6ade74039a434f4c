"""What is known of kinds of models before any has learned, by the structure of the data. Pure.

Of tables of classes it is learned: `family_prior`. Of images, texts, sequences, strange rows and
clusters it is a rule with its published source.
"""

from collections.abc import Mapping
from types import MappingProxyType

from ounce_schemas.advice import Look, Reason
from ounce_schemas.task import TaskKind

_IMAGES = Reason(
    topic="prior",
    text="networks of convolutions are expected ahead of models that read each pixel for itself, "
    "if only by a little where images are few and centred: of 60,000 digits a linear model got "
    "12.0% wrong, a network of convolutions 0.95%",
    source="Y. LeCun et al., Gradient-Based Learning Applied to Document Recognition, Proceedings "
    "of the IEEE 1998",
)
_TEXTS = Reason(
    topic="prior",
    text="linear models of n-grams are expected level with networks, and ahead below some hundred "
    "thousand texts",
    source="X. Zhang, J. Zhao and Y. LeCun, Character-level Convolutional Networks for Text "
    "Classification, NIPS 2015; A. Joulin et al., Bag of Tricks for Efficient Text "
    "Classification, EACL 2017",
)
_SEQUENCES = Reason(
    topic="prior",
    text="linear models of fixed convolutions are expected level with or ahead of networks, which "
    "follow: so it was on 112 sets",
    source="M. Middlehurst, P. Schäfer and A. Bagnall, Bake off redux, Data Mining and Knowledge "
    "Discovery 2024; A. Dempster, D. F. Schmidt and G. I. Webb, MiniRocket, KDD 2021",
)
_ANOMALIES = Reason(
    topic="prior",
    text="no detector is best on all data: of 14 without labels none is statistically better than "
    "the others on 57 sets, and few labels change more than the choice of a detector",
    source="S. Han et al., ADBench, NeurIPS 2022",
)
_CLUSTERS = Reason(
    topic="prior",
    text="accuracy is agreement with the reference, so a model of its kind is expected first; "
    "lighter ones lose where clusters are aslant or of unlike spread",
    source="how the task is made: `ounce train --kind clusters`",
)
_OF_STRUCTURE: Mapping[str, Reason] = MappingProxyType(
    {"image": _IMAGES, "text": _TEXTS, "sequence": _SEQUENCES}
)


def rule(look: Look, kind: TaskKind) -> Reason | None:
    """What is published of data like this; None of tables of classes and quantities."""
    if kind == "anomaly":
        return _ANOMALIES
    if kind == "clusters":
        return _CLUSTERS
    return _OF_STRUCTURE.get(look.structure)
