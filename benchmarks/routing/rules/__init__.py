"""Rules that decide what a worker runs next: ours, and the best known ones.

The others are given what their papers leave open in its best form, so that none is a straw man:
earliest deadline first instead of arrival order; batches as large as the tightest deadline in them
allows; messages that are late already wait for those that are not; the worker's own slices of 5 ms
between two looks at the queue; and the measured time per message beside the model. Where a paper
knows no floor per message, the lower bounds of accuracy that ours uses stand in for its accuracy
figures, and what it can give to some messages only, it gives to those with the highest floors.
"""

from collections.abc import Callable, Mapping

from benchmarks.routing.overhead import Overhead
from benchmarks.routing.rules.base import Rule
from benchmarks.routing.rules.cascade import CascadeWithoutDeadlines
from benchmarks.routing.rules.infaas import Infaas
from benchmarks.routing.rules.oracle import Oracle
from benchmarks.routing.rules.ours import Ours
from benchmarks.routing.rules.proteus import Proteus
from benchmarks.routing.rules.ramsis import Ramsis
from benchmarks.routing.rules.single import AlwaysBest, AlwaysLightest, BestFixed
from benchmarks.routing.rules.slackfit import SlackFit
from benchmarks.routing.tables import Table

OURS, ORACLE, FIXED = "ours", "oracle", "best-fixed"
RULES: Mapping[str, Callable[[Table, Overhead], Rule]] = {
    "always-best": AlwaysBest,
    "always-lightest": AlwaysLightest,
    FIXED: BestFixed,
    "INFaaS": Infaas,
    "Proteus": Proteus,
    "SlackFit": SlackFit,
    "RAMSIS": Ramsis,
    "cascade": CascadeWithoutDeadlines,
    OURS: Ours,
    ORACLE: Oracle,
}
"""By the name in reports."""

__all__ = ["FIXED", "ORACLE", "OURS", "RULES", "Rule"]
