"""AutoGluon with `infer_limit`, in its own environment: one core, no networks, bagged models made
one (`refit_full`) and kept in memory, as its documentation advises for a time a row."""

import tempfile
import time

import peer_program as program


def main() -> None:
    """Search and tell."""
    from autogluon.tabular import TabularPredictor

    wanted = program.asked()
    inputs, targets = program.rows(wanted.folder, "train")
    begun_s = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        search = TabularPredictor(label="target", eval_metric="accuracy", path=folder, verbosity=0)
        search.fit(
            inputs.assign(target=targets),
            presets="good_quality",
            time_limit=wanted.seconds,
            infer_limit=wanted.row_us / 1e6,
            infer_limit_batch_size=wanted.batch,
            num_cpus=1,
        )
        search.persist()
        program.tell(search.predict, wanted, begun_s)


if __name__ == "__main__":
    main()
