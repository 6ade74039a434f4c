"""A naive aiokafka loop: consume one, run, send and wait."""

from benchmarks.peers.base import FEATURES, Peer, arguments, open_session, program

AIOKAFKA = Peer(
    name="aiokafka",
    title="a naive aiokafka loop: consume, run, send and wait",
    body="raw",
    requirements=("aiokafka==0.14.0",),
    command=program("benchmarks.peers.aiokafka_loop"),
    backlog_per_s=10_000,
)


async def serve() -> None:
    """Answer requests until it is stopped."""
    import numpy as np
    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

    servers, requests, predictions, group, model = arguments()
    run = open_session(model).run
    producer = AIOKafkaProducer(bootstrap_servers=servers)
    consumer = AIOKafkaConsumer(
        requests, bootstrap_servers=servers, group_id=group, auto_offset_reset="earliest"
    )
    async with producer, consumer:
        async for message in consumer:
            row = np.frombuffer(message.value, "<f4").reshape(1, FEATURES)
            result = run(None, {"input": row})[0]
            await producer.send_and_wait(predictions, result.tobytes(), key=message.key)


if __name__ == "__main__":
    import asyncio

    asyncio.run(serve())
