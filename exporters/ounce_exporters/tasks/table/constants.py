"""Columns of one value: no input of a task, and models made elsewhere may read them."""

import numpy as np
import pandas as pd
from ounce_schemas.cells import as_text, parse_number


def constants_of(table: pd.DataFrame) -> dict[str, float | str]:
    """Columns that hold one value in every row, and it."""
    found: dict[str, float | str] = {}
    for name in table.columns:
        first = table[name].iloc[0]
        if (table[name] == first).all() and first != "":
            number = parse_number(as_text(first))
            found[str(name)] = str(first) if number is None or not np.isfinite(number) else number
    return found
