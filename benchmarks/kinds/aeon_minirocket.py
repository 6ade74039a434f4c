"""aeon's MiniRocket on series of official train and test files, in an environment of its own.

Run as `python aeon_minirocket.py FOLDER NAME...`; writes accuracy by name as JSON.
"""

import gzip
import json
import sys
import tempfile
from pathlib import Path


def main() -> None:
    """Fit and test on each set; series of unequal length get zeros behind them."""
    from aeon.classification.convolution_based import MiniRocketClassifier
    from aeon.datasets import load_from_ts_file
    from aeon.transformations.collection.unequal_length import Padder

    folder, *names = sys.argv[1:]
    found = {}
    for name in names:
        parts = []
        for part in ("TRAIN", "TEST"):
            packed = Path(folder) / "sequences" / f"{name}_{part}.ts.gz"
            with tempfile.TemporaryDirectory() as scratch:
                plain = Path(scratch) / "series.ts"
                plain.write_bytes(gzip.decompress(packed.read_bytes()))
                parts.append(load_from_ts_file(str(plain)))
        (x, y), (asked, truth) = parts
        if isinstance(x, list):
            longest = max(series.shape[1] for series in (*x, *asked))
            padder = Padder(padded_length=longest)
            x, asked = padder.fit_transform(x), padder.fit_transform(asked)
        model = MiniRocketClassifier(random_state=0).fit(x, y)
        found[name] = float((model.predict(asked) == truth).mean())
    print(json.dumps(found))


if __name__ == "__main__":
    main()
