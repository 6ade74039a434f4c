"""FLAML with `pred_time_limit`, in its own environment."""

import time

import peer_program as program


def main() -> None:
    """Search and tell."""
    from flaml import AutoML

    wanted = program.asked()
    inputs, targets = program.rows(wanted.folder, "train")
    begun_s = time.monotonic()
    search = AutoML()
    search.fit(
        inputs,
        targets,
        task="classification",
        metric="accuracy",
        time_budget=wanted.seconds,
        pred_time_limit=wanted.row_us / 1e6,
        n_jobs=1,
        seed=0,
        verbose=0,
    )
    program.tell(search.predict, wanted, begun_s)


if __name__ == "__main__":
    main()
