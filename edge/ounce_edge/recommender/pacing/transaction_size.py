"""How many records one transaction answers, and how long that may take. Pure."""

import statistics
from collections import deque

MOST_GROWTH = 2.0
_SLOW_TRANSACTION = 5.0
"""Beyond so many times the setting, a transaction that takes long is no reason for a longer one."""
LONGEST_MS = 4000.0
"""Of a commit. The broker gives a transaction up after 10 s, and a line may become slower."""
_N_LATEST = 9
_FIRST_GUESS_MS = 10.0


class TransactionTime:
    """What a transaction takes: the median of the latest.

    The first ones of a worker take up to a hundred times as long, and so does one now and then.
    They say nothing of the next one.
    """

    def __init__(self) -> None:
        self._latest_ms = deque([_FIRST_GUESS_MS] * _N_LATEST, maxlen=_N_LATEST)

    def learn(self, took_ms: float) -> None:
        """One was committed."""
        self._latest_ms.append(took_ms)

    @property
    def typical_ms(self) -> float:
        """Milliseconds."""
        return statistics.median(self._latest_ms)


def budget_ms(
    setting_ms: float, tightest_ms: float, transaction_ms: float, *, is_queueing: bool
) -> float:
    """Time that the records of a transaction may take to compute, milliseconds.

    It is a quarter of the tightest deadline, up to the setting. Where records queue, it is the
    setting: each transaction has a fixed cost, so small ones would make the queue longer. It is not
    less than a transaction takes, up to some times the setting: records wait for the one before
    theirs anyway.

    Args:
        setting_ms: the setting.
        tightest_ms: the tightest deadline of the requests that came lately.
        transaction_ms: time that a transaction takes, typically.
        is_queueing: whether more records wait than one transaction takes.
    """
    wanted_ms = setting_ms if is_queueing else min(setting_ms, tightest_ms / 4)
    waited_ms = min(transaction_ms, _SLOW_TRANSACTION * setting_ms)
    return max(wanted_ms, waited_ms, 1.0)


class TransactionSize:
    """As many records as are computed within a budget of time.

    Found by trying: more where the last one left room, fewer where it took too long. A mean time
    per record would count a transaction's fixed cost for each of its records. Where that is high,
    as on a busy machine, small transactions would then stay small for good.

    A slow line bounds them, too: what takes longer to commit than the broker waits is aborted, and
    would be again.

    Args:
        first: records to begin with.
        most: records at most.
    """

    def __init__(self, first: int = 64, most: int = 16_384) -> None:
        self._most = self._most_now = most
        self.n_records = min(first, most)

    def learn(self, n_records: int, took_ms: float, budget_ms: float) -> None:
        """A transaction's records were computed.

        Args:
            n_records: how many they were; fewer than asked for where no more were there.
            took_ms: time it took, milliseconds.
            budget_ms: time it should take at most, milliseconds.
        """
        factor = budget_ms / max(took_ms, 1e-3)
        if factor < 1.0:
            self.n_records = max(1, int(n_records * max(factor, 1.0 / MOST_GROWTH)))
        elif n_records >= self.n_records and factor >= MOST_GROWTH:
            self.n_records = min(self._most_now, int(self.n_records * MOST_GROWTH))

    def learn_commit(self, n_records: int, took_ms: float) -> None:
        """A transaction was committed.

        Args:
            n_records: how many records it answered.
            took_ms: from its begin to its end, milliseconds.
        """
        if took_ms > LONGEST_MS:
            self._bound(int(n_records * max(LONGEST_MS / took_ms, 1.0 / MOST_GROWTH)))
        elif took_ms < LONGEST_MS / MOST_GROWTH:
            self._most_now = min(self._most, int(self._most_now * MOST_GROWTH))

    def learn_abort(self, n_records: int) -> None:
        """A transaction of so many records was aborted: it may have taken too long."""
        self._bound(n_records // 2)

    def _bound(self, most: int) -> None:
        self._most_now = max(1, min(most, self._most_now))
        self.n_records = min(self.n_records, self._most_now)
