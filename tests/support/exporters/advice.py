"""What advice finds in a table."""

from ounce_schemas.advice import Look

LOOK = Look(
    n_rows=1000,
    n_numbers=3,
    n_texts=1,
    missing=0,
    duplicates=0,
    most_values=2,
    skewed=1,
    heavy_tailed=1,
    n_classes=2,
    constant=0.5,
    notices=(),
)
