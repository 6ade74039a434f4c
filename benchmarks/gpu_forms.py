"""Makes the forms in fewer bits that TensorRT takes of a ladder's networks, for times on a GPU."""

from collections.abc import Iterator
from pathlib import Path

import click
import onnx
from ounce_edge.models.checks import sample_inputs
from ounce_exporters.lighter.forms import Form, UnsuitedError, convert
from ounce_schemas.documents import CARD_FILE, MODEL_FILE, read_card

FORMS = (Form.FP16, Form.INT8_SYMMETRIC)
_ITEMS = 64
"""Made ones, which set the ranges of INT8: times do not depend on them, and answers are not looked
at."""


def networks(models: Path) -> list[Path]:
    """Cards of the networks of all ladders: those as they were trained, then their other forms."""
    paths = sorted(models.glob(f"[!.]*/[!.]*/{CARD_FILE}"))
    found = [path for path in paths if read_card(path).family == "neural"]
    return sorted(found, key=lambda path: is_form(path.parent))


def is_form(folder: Path) -> bool:
    """Whether a model is another form of one beside it."""
    return any(
        folder.name.endswith(f"-{form}")
        and folder.with_name(folder.name.removesuffix(f"-{form}")).exists()
        for form in Form
    )


def make_forms(cards: list[Path], folder: Path) -> Iterator[Path]:
    """Make the forms that a ladder does not have.

    Args:
        cards: of networks.
        folder: empty; gets `<task>/<model>-<form>`.

    Yields:
        The card of each, beside its model.
    """
    for path in cards:
        for form in () if is_form(path.parent) else FORMS:
            card = read_card(path)
            name = f"{card.model}-{form}"
            if path.parent.with_name(name).exists():
                continue
            model = onnx.load(path.with_name(MODEL_FILE))
            try:
                made = convert(model, form, sample_inputs(card.inputs, _ITEMS))
            except UnsuitedError:
                continue
            except Exception as e:  # whatever it is: other models are measured all the same
                click.echo(f"{card.task}/{name} can't be made: {e}")
                continue
            place = folder / card.task / name
            place.mkdir(parents=True)
            (place / MODEL_FILE).write_bytes(made.SerializeToString())
            copy = card.model_copy(update={"model": name})
            (place / CARD_FILE).write_text(copy.model_dump_json(by_alias=True))
            yield place / CARD_FILE
