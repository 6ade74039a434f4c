"""Nothing is lost under faults. A file for each delivery, so that they run beside each other."""

from pathlib import Path

import pytest

from tests.trials.short_chaos import check_that_nothing_is_lost
from trials.chaos.outcome import Delivery


@pytest.mark.kafka
def test_nothing_is_lost_under_faults(digits_models: Path, tmp_path: Path) -> None:
    check_that_nothing_is_lost(Delivery.EXACTLY_ONCE, 11, digits_models, tmp_path)
