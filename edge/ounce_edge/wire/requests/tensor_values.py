"""Which values of a tensor can be served: finite or missing where allowed, and in range."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.errors import InvalidMessageError, Reason
from ounce_schemas.task import TensorSpec


def all_acceptable(array: NDArray[Any], spec: TensorSpec) -> bool:
    """Whether all values are finite (or missing, where allowed) and in range. Errs to False."""
    if array.size == 0 or array.dtype == np.uint8:
        return True
    if spec.datatype == "UINT8" and not (array == np.floor(array)).all():
        return False
    least, greatest = float(array.min()), float(array.max())  # NaN if any value is
    return (
        math.isfinite(least)
        and math.isfinite(greatest)
        and (spec.minimum is None or least >= spec.minimum)
        and (spec.maximum is None or greatest <= spec.maximum)
    )


def value_error(row: NDArray[np.float32], spec: TensorSpec) -> InvalidMessageError | None:
    """What is wrong with the values of one item, an array of shape (size,); None: nothing."""
    if spec.channels is not None and np.isnan(row).all():
        return InvalidMessageError(
            Reason.NOT_FINITE, f"the sequence {spec.name!r} holds no value; send one step at least"
        )
    bad = ~np.isfinite(row)
    if spec.allow_missing:
        bad &= ~np.isnan(row)
    if bad.any():
        i = int(bad.argmax())
        allowed = "missing values are NaN or null" if spec.allow_missing else "none may be missing"
        return InvalidMessageError(
            Reason.NOT_FINITE,
            f"value {_place(spec, i)} is {row[i]}; send finite numbers ({allowed})",
        )
    low = -np.inf if spec.minimum is None else spec.minimum
    high = np.inf if spec.maximum is None else spec.maximum
    bad = (row < low) | (row > high)
    if bad.any():
        i = int(bad.argmax())
        return InvalidMessageError(
            Reason.OUT_OF_RANGE,
            f"value {_place(spec, i)} is {row[i]:g}, outside [{low:g}, {high:g}]",
        )
    if spec.datatype == "UINT8" and (bad := row != np.floor(row)).any():
        i = int(bad.argmax())
        return InvalidMessageError(
            Reason.WRONG_DATATYPE,
            f"value {_place(spec, i)} is {row[i]:g}; send pixels as whole numbers from 0 to 255",
        )
    return None


def pad_steps(data: list[Any], spec: TensorSpec) -> list[Any]:
    """A sequence of fewer steps than the task's, with missing ones before them; others as they are.

    Args:
        data: flat values, step by step.
        spec: of a sequence.
    """
    missing = spec.size - len(data)
    if missing <= 0 or not data or len(data) % spec.shape[1]:
        return data
    return [math.nan] * missing + data


def steps_text(spec: TensorSpec) -> str:
    """What else a sequence may be, to end a line with; empty for another input."""
    if spec.channels is None:
        return ""
    return f"; or fewer steps, at least one, each of {list(spec.channels[:10])}"


def _place(spec: TensorSpec, i: int) -> str:
    column = f" ({spec.columns[i]})" if spec.columns else ""
    return f"{i}{column} of input {spec.name!r}"
