"""Sequences for tests: units that wear until they fail, and waves of two rates in .ts files."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd


def wearing(n_units: int = 24, seed: int = 0) -> pd.DataFrame:
    """A heat that grows as a unit wears, a load that says nothing, and a constant."""
    rng = np.random.default_rng(seed)
    units = []
    for unit in range(n_units):
        n = int(rng.integers(15, 25))
        wear = np.arange(n) / n
        units.append(
            pd.DataFrame(
                {
                    "unit": f"u{unit}",
                    "cycle": np.arange(1, n + 1),
                    "heat": 10 * wear**2 + rng.normal(0, 0.3, n),
                    "load": rng.normal(0, 1, n),
                    "setting": 100.0,
                    "state": np.where(wear > 0.6, "worn", "new"),
                }
            )
        )
    return pd.concat(units, ignore_index=True)


def write_ts(path: Path, n: int, *, unequal: bool = False, seed: int = 0) -> Path:
    """Waves of two channels, slow or fast."""
    rng = np.random.default_rng(seed)
    lines = ["# waves", "@problemName Waves", "@timeStamps false", "@missing false",
             "@dimensions 2", "@classLabel true slow fast", "@data"]  # fmt: skip
    for i in range(n):
        length = int(rng.integers(24, 33)) if unequal else 32
        angle = np.arange(length) * (0.4 if i % 2 else 0.9) + rng.uniform(0, 6)
        channels = [np.sin(angle) + rng.normal(0, 0.1, length), rng.normal(0, 1, length)]
        texts = [",".join(f"{v:.4f}" for v in channel) for channel in channels]
        lines.append(":".join([*texts, "slow" if i % 2 else "fast"]))
    content = ("\n".join(lines) + "\n").encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path
