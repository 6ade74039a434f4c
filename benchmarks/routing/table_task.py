"""A task made from a table, trained once."""

import subprocess
import sys
from pathlib import Path

from ounce_schemas.documents import PLANS_FILE

TASK = "table"
ROWS = 10_000


def train_table_task(folder: Path) -> Path:
    """Write a table and train its ladder, unless that was done before.

    The table is scikit-learn's `make_classification` (I. Guyon, "Design of experiments for the
    NIPS 2003 variable selection benchmark"): three classes of three clusters each in twelve
    informative of twenty columns, 1% of the labels wrong. Linear models and shallow trees do
    poorly on it, forests and networks well.

    Returns:
        Folder of the models.
    """
    models = folder / "models"
    if (models / TASK / PLANS_FILE).is_file():
        return models
    import pandas as pd
    from sklearn.datasets import make_classification

    x, y = make_classification(
        ROWS, 20, n_informative=12, n_redundant=4, n_classes=3, n_clusters_per_class=3,
        class_sep=1.6, flip_y=0.01, weights=[0.5, 0.3, 0.2], random_state=0,
    )  # fmt: skip
    frame = pd.DataFrame(x.astype("float32"), columns=[f"x{i}" for i in range(x.shape[1])])
    frame["class"] = [f"class-{label}" for label in y]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{TASK}.csv"
    frame.to_csv(path, index=False)
    ounce = Path(sys.executable).with_name("ounce")
    command = [ounce, "train", "--data", path, "--target", "class", "--task", TASK]
    subprocess.run([*map(str, command), "--models", str(models)], check=True)
    return models
