"""Small tables for tests, as they come from a file."""

import pandas as pd


def frame(**columns: object) -> pd.DataFrame:
    """A table of texts, where a gap is empty, and of numbers."""
    table = pd.DataFrame(columns)
    for name in table:
        if table[name].dtype == bool or not pd.api.types.is_numeric_dtype(table[name]):
            table[name] = table[name].astype(object).where(table[name].notna(), "").astype(str)
        else:
            table[name] = table[name].astype(float)
    return table
