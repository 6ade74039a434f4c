"""FastStream as its tutorial writes it: a pydantic model comes in, `@publisher` sends one out.

Only `auto_offset_reset` is set beside: a backlog could not be read with the default.
"""

from benchmarks.peers.base import Peer, arguments, open_session, program

FASTSTREAM = Peer(
    name="faststream",
    title="FastStream as in its tutorial: pydantic and `@publisher` per message",
    body="json",
    requirements=("faststream[kafka]==0.7.8",),
    command=program("benchmarks.peers.faststream_tutorial"),
    backlog_per_s=6_000,
)


def main() -> None:
    """Answer requests until it is stopped."""
    import asyncio

    import numpy as np
    from faststream import FastStream
    from faststream.kafka import KafkaBroker
    from pydantic import BaseModel

    class Tensor(BaseModel):
        name: str
        shape: list[int]
        datatype: str
        data: list[float]

    class Request(BaseModel):
        id: str
        inputs: list[Tensor]

    class Response(BaseModel):
        model_name: str
        id: str
        outputs: list[Tensor]

    servers, requests, predictions, group, model = arguments()
    run = open_session(model).run
    broker = KafkaBroker(servers)
    app = FastStream(broker)

    @broker.subscriber(requests, group_id=group, auto_offset_reset="earliest")
    @broker.publisher(predictions)
    async def infer(request: Request) -> Response:
        row = np.array([request.inputs[0].data], np.float32)
        result = run(None, {"input": row})[0]
        tensor = Tensor(
            name="probabilities", shape=list(result.shape), datatype="FP32",
            data=result[0].tolist(),
        )  # fmt: skip
        return Response(model_name="mlp", id=request.id, outputs=[tensor])

    asyncio.run(app.run())


if __name__ == "__main__":
    main()
