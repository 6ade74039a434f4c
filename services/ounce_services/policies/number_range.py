"""Numbers on the command line."""

import math
from typing import Any

import click


class NumberRange(click.FloatRange):
    """A `FloatRange` without `nan`, which is on no side of a bound."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """See `click.ParamType`."""
        number = float(super().convert(value, param, ctx))
        if math.isnan(number):
            self.fail(f"{value!r} is no number.", param, ctx)
        return number
