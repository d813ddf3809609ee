"""One route with its group of workers, for the operation that is measured."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mosec import Runtime, Server, Worker  # type: ignore[import-not-found] # in its own venv

from benchmarks.peers import given
from benchmarks.peers.model_work import Answer, ModelWork
from benchmarks.peers.plain_api import WAIT_MS


class Operation(Worker):  # type: ignore[misc]
    """Reads a body, answers a batch, writes an answer."""

    resp_mime_type = "application/json" if given.OPERATION == "encode" else "image/png"

    def __init__(self) -> None:
        super().__init__()
        self.work = ModelWork(Path(given.STORE), given.OPERATION, given.PNG_LEVEL)

    def deserialize(self, data: bytes) -> dict[str, Any]:
        if given.OPERATION == "encode":
            return {"png": data}
        body: dict[str, Any] = super().deserialize(data)
        return body

    def forward(self, data: Any) -> Answer | Sequence[Answer]:  # noqa: ANN401 - a body or several
        if given.BATCH == 1:  # then mosec hands over the body itself
            return self.work.answer([data])[0]
        return self.work.answer(data)

    def serialize(self, data: Answer) -> bytes:
        # mosec's own JSON is indented.
        return data if isinstance(data, bytes) else json.dumps(data, separators=(",", ":")).encode()


if __name__ == "__main__":
    server = Server()
    runtime = Runtime(
        Operation,
        num=given.PROCESSES,
        max_batch_size=given.BATCH,
        max_wait_time=WAIT_MS,
        timeout=30,
    )
    server.register_runtime({f"/{given.OPERATION}": [runtime]})
    server.run()
