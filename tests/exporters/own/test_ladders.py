"""The ladder of a table that has none yet: it knows nothing of the rows that a model learned."""

from pathlib import Path

import numpy as np
import pandas as pd
from ounce_exporters.own.ladders import find_ladder
from ounce_exporters.own.splits import Rows


def test_gaps_that_a_model_has_learned_from_elsewhere_are_not_known(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    rng = np.random.default_rng(0)
    table = pd.DataFrame({name: rng.normal(size=200).round(3) for name in "ab"})
    table.assign(state=np.where(table["a"] > 0, "good", "worn")).to_csv(path, index=False)

    judges = find_ladder(tmp_path / "models", "rows", Rows(path, "state"), lambda line: None)

    cells = [cell for tensor in judges.data.spec.inputs for cell in tensor.cells or ()]
    assert [cell.gaps for cell in cells] == [None, None]
