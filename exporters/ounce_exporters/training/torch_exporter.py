"""What PyTorch's exporter says, and what a person should read of it."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO


@contextmanager
def quiet_exporter() -> Iterator[None]:
    """Hide what the exporter says of torchvision, which is not used, and of its own insides."""
    logger = logging.getLogger("torch.onnx._internal.exporter")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        # It prints the whole graph of what it can't export.
        with warnings.catch_warnings(), redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            warnings.simplefilter("ignore", DeprecationWarning)
            warnings.simplefilter("ignore", FutureWarning)
            # Of how it traces recurrent layers; the parity check would see an effect.
            warnings.simplefilter("ignore", UserWarning)
            yield
    finally:
        logger.setLevel(level)


def why_not_exported(error: BaseException) -> str:
    """Why a module can't be exported, in one line."""
    causes = [error]
    while (cause := causes[-1].__cause__) is not None:
        causes.append(cause)
    if any("data-dependent" in str(cause) for cause in causes):
        return (
            "its flow depends on the data, such as a Python `if` or `while` that looks at a tensor:"
            " write it with torch.where or torch.cond"
        )
    return " ".join(str(causes[-1]).split())[:300]
