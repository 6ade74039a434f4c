"""What is believed of the time that a group of messages takes beside its model calls."""

MEMORY_GROUPS = 500.0
"""Groups remembered, about: each new one takes 1/500 of the weight of the old ones."""
FEW_GROUPS = 50.0
"""So many groups of one message are believed to have taken no time before the first one. A worker's
first groups take far longer than others, since much is done for the first time."""
PRIOR_ITEMS = 16.0
"""Messages that take as long as a group itself, believed while all groups are alike; it counts as
one observation, so that groups of nearly one size say little of others."""
ITEMS_BOUNDS = (1.0, 64.0)
"""At least and at most so many do. Large groups are begun only where they are believed to be worth
it, so a belief that is too low could last."""
STALL_FACTOR = 100.0
"""A group counts as at most so many times as long as it is believed to take. Others that use the
processor hold one up for less; a computer that slept for a minute does not."""
_KEEP = 1.0 - 1.0 / MEMORY_GROUPS


class OverheadBelief:
    """Time beside the calls: a fixed time per group, and one per message.

    How the two compare is learned from the time on the processor: a line of least squares through
    the latest groups. Other programs hold groups up for longer than most groups take, and at
    random. Of a line through the elapsed times they would leave nothing. How long both take is the
    mean of the elapsed times: what others take of the processor they take of large and small
    groups alike.
    """

    def __init__(self) -> None:
        self._groups = self._items = self._squares = 0.0
        self._elapsed_ms = self._processor_ms = self._item_processor_ms = 0.0

    def observe(self, n_items: int, elapsed_ms: float, processor_ms: float) -> None:
        """Learn from one group.

        Args:
            n_items: its messages.
            elapsed_ms: its time beside the calls, milliseconds.
            processor_ms: of that, on the processor; all zeros where that can't be told.
        """
        if self._groups >= FEW_GROUPS:
            group_items = self._group_items
            usual_ms = (group_items + n_items) * self._item_ms(group_items)
            elapsed_ms = min(elapsed_ms, STALL_FACTOR * usual_ms)
        self._groups = self._groups * _KEEP + 1.0
        self._items = self._items * _KEEP + n_items
        self._squares = self._squares * _KEEP + n_items * n_items
        self._elapsed_ms = self._elapsed_ms * _KEEP + elapsed_ms
        self._processor_ms = self._processor_ms * _KEEP + processor_ms
        self._item_processor_ms = self._item_processor_ms * _KEEP + n_items * processor_ms

    @property
    def group_ms(self) -> float:
        """Time of a group, however few messages it has."""
        group_items = self._group_items
        return group_items * self._item_ms(group_items)

    @property
    def item_ms(self) -> float:
        """Time of each of its messages."""
        return self._item_ms(self._group_items)

    def _item_ms(self, group_items: float) -> float:
        before = FEW_GROUPS * (1.0 - self._groups / MEMORY_GROUPS)
        items, groups = self._items + before, self._groups + before
        return self._elapsed_ms / (items + group_items * groups)

    @property
    def _group_items(self) -> float:
        """Messages that take as long as a group itself."""
        if not self._processor_ms:
            return PRIOR_ITEMS
        # Normal equations of sum (ms - group - item n)^2 + (group - PRIOR_ITEMS item)^2.
        groups, items = self._groups + 1.0, self._items - PRIOR_ITEMS
        squares = self._squares + PRIOR_ITEMS**2
        group = squares * self._processor_ms - items * self._item_processor_ms
        item = groups * self._item_processor_ms - items * self._processor_ms
        least, most = ITEMS_BOUNDS
        return most if group >= most * item else max(group / item, least)
