"""LitServe, batching as its documentation advises: `max_batch_size`, `batch_timeout`, `fast_queue`.

Its processes are workers of one API, and as many that speak HTTP. Bodies are JSON or forms, so an
image goes as base64.
"""

import base64

from benchmarks.peers import plain_api
from benchmarks.peers.peer import Launch, Peer
from benchmarks.questions import Encode, Question, post_json


def _command(launch: Launch) -> list[str]:
    return [str(launch.python), "-m", "benchmarks.peers.litserve.server"]


def _ask(question: Question) -> bytes:
    if isinstance(question, Encode):
        return post_json("/encode", {"image": base64.b64encode(question.png).decode()})
    return plain_api.ask(question)


PEER = Peer(
    name="litserve",
    title="LitServe, its batching",
    command=_command,
    ask=_ask,
    environment=plain_api.environment,
    packages=("litserve", "fastapi", "uvicorn", "pyzmq", "pillow", "torch"),
    batches=(64, 1),
)
