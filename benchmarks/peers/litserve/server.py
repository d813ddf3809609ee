"""One LitAPI, for the operation that is measured: each API has worker processes of its own."""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import litserve  # type: ignore[import-not-found] # in its own venv
from fastapi import Response

from benchmarks.peers import given
from benchmarks.peers.model_work import Answer, ModelWork
from benchmarks.peers.plain_api import WAIT_MS


class Operation(litserve.LitAPI):  # type: ignore[misc]
    """Decodes a request, answers a batch, encodes an answer."""

    def setup(self, device: str) -> None:  # noqa: ARG002 - LitServe's signature
        self.work = ModelWork(Path(given.STORE), given.OPERATION, given.PNG_LEVEL)

    def decode_request(self, request: dict[str, Any]) -> dict[str, Any]:
        if "image" in request:
            return {"png": base64.b64decode(request["image"])}
        return request

    def predict(self, batch: list[dict[str, Any]] | dict[str, Any]) -> Sequence[Answer]:
        return self.work.answer(batch if isinstance(batch, list) else [batch])

    def unbatch(self, output: Sequence[Answer]) -> Sequence[Answer]:
        return output

    def encode_response(self, output: Answer | Sequence[Answer]) -> object:
        answer = output[0] if isinstance(output, list) else output  # a list where not batched
        return answer if isinstance(answer, dict) else Response(answer, media_type="image/png")


if __name__ == "__main__":
    api = Operation(
        max_batch_size=given.BATCH,
        batch_timeout=WAIT_MS / 1000 if given.BATCH > 1 else 0.0,
        api_path=f"/{given.OPERATION}",
    )
    server = litserve.LitServer(
        api, accelerator="cpu", workers_per_device=given.PROCESSES, fast_queue=True
    )
    server.run(
        host="127.0.0.1",
        port=given.PORT,
        num_api_servers=given.PROCESSES,
        generate_client_file=False,
        log_level="warning",
        access_log=False,
    )
