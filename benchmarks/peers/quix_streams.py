"""Quix Streams with ONNX Runtime: a streaming data frame that applies the model to each message."""

from benchmarks.peers.base import FEATURES, Peer, arguments, open_session, program

QUIX = Peer(
    name="quix",
    title="Quix Streams, ONNX Runtime per message",
    body="raw",
    requirements=("quixstreams==3.28.1",),
    command=program("benchmarks.peers.quix_streams"),
    backlog_per_s=80_000,
)


def main() -> None:
    """Answer requests until it is stopped."""
    import numpy as np
    from quixstreams import Application

    servers, requests, predictions, group, model = arguments()
    run = open_session(model).run
    app = Application(
        broker_address=servers,
        consumer_group=group,
        auto_offset_reset="earliest",
        auto_create_topics=False,
        loglevel="ERROR",
    )

    def infer(body: bytes) -> bytes:
        row = np.frombuffer(body, "<f4").reshape(1, FEATURES)
        return run(None, {"input": row})[0].tobytes()

    frame = app.dataframe(app.topic(requests, value_deserializer="bytes"))
    frame.apply(infer).to_topic(app.topic(predictions, value_serializer="bytes"))
    app.run()


if __name__ == "__main__":
    main()
