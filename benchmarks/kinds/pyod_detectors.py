"""pyod's detectors on prepared splits, in an environment of its own.

Run as `python pyod_detectors.py RATE FILE...`. Each file is an `.npz` with `learned`, normal rows,
and `asked` with its `truth`, 1 for an anomaly. Writes a line of JSON for each file: by detector the
area under the ROC curve and the share of normal rows that it flags.
"""

import json
import sys
from collections.abc import Callable
from typing import Any


def main() -> None:
    """Fit each detector with its defaults, and the rate as its contamination."""
    import numpy as np
    from pyod.models.ecod import ECOD
    from pyod.models.iforest import IForest
    from pyod.models.knn import KNN
    from sklearn.metrics import roc_auc_score

    rate, *files = sys.argv[1:]
    made: dict[str, Callable[[], Any]] = {
        "IForest": lambda: IForest(contamination=float(rate), random_state=0),
        "ECOD": lambda: ECOD(contamination=float(rate)),
        "kNN": lambda: KNN(contamination=float(rate)),
    }
    for file in files:
        found = {}
        with np.load(file) as parts:
            learned, asked, truth = parts["learned"], parts["asked"], parts["truth"]
        for name, make in made.items():
            model = make()
            model.fit(learned)
            scores = model.decision_function(asked)
            alarms = float((scores[truth == 0] > model.threshold_).mean())
            found[name] = (float(roc_auc_score(truth, scores)), alarms)
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
