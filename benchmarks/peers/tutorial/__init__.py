"""What tutorials build: FastAPI, pydantic, the model called in the endpoint, Pillow; no batches."""

from benchmarks.peers import plain_api
from benchmarks.peers.peer import Launch, Peer


def _command(launch: Launch) -> list[str]:
    return [
        *(str(launch.python), "-m", "uvicorn", "benchmarks.peers.tutorial.server:application"),
        *("--port", str(launch.port), "--workers", str(launch.processes)),
        *("--no-access-log", "--log-level", "warning"),
    ]


PEER = Peer(
    name="tutorial",
    title="FastAPI, the model in `async def`, Pillow",
    command=_command,
    ask=plain_api.ask,
    environment=plain_api.environment,
    packages=("fastapi", "pydantic", "uvicorn", "pillow", "torch"),
)
