"""latentd itself, as `python -m app`, asked by its public HTTP surface alone."""

from benchmarks.peers.peer import Launch, Peer
from benchmarks.questions import (
    Decode,
    Encode,
    Question,
    Rows,
    Sample,
    Unchanged,
    get,
    post,
    post_json,
)


def _command(launch: Launch) -> list[str]:
    return [str(launch.python), "-m", "app"]


def _environment(launch: Launch) -> dict[str, str]:
    given = {
        "LATENTD_STORE": str(launch.store),
        "LATENTD_MODELS": "colour" if launch.operation == "colour" else "mlp",
        "LATENTD_PORT": str(launch.port),
        "LATENTD_WORKERS": str(launch.processes),
        "LATENTD_LOG_LEVEL": "warning",
        # The peers let any number wait; refusing early is measured elsewhere.
        "LATENTD_MAX_QUEUE_ROWS": "1000000",
        "LATENTD_MAX_QUEUE_BYTES": str(2**32),
    }
    # Answers are computed, save where remembering them is what is measured.
    return given if launch.operation == "cached" else given | {"LATENTD_CACHE_BYTES": "0"}


def _ask(question: Question) -> bytes:
    match question:
        case Decode(_, latent):
            return post_json("/decode", {"latents": [latent]})
        case Sample(n, seed):
            return get(f"/sample?n={n}&seed={seed}")
        case Encode(png):
            return post("/encode", png, "image/png")
        case Rows(n, seed):
            return get(f"/sample?n={n}&seed={seed}&format=npy")
        case Unchanged(seed, etag):
            return get(f"/sample?n=1&seed={seed}", If_None_Match=etag)
        case _:
            points = [{"latent": question.start}, {"latent": question.end}]
            walk = {"points": points, "steps": question.steps, "method": "linear"}
            return post_json("/interpolate", walk)


PEER = Peer(
    name="latentd",
    title="latentd",
    command=_command,
    ask=_ask,
    ready="/health/ready",
    environment=_environment,
    packages=("fastapi", "pydantic", "uvicorn", "torch"),
    own_venv=False,
    own_noise=True,
    operations=frozenset(
        {"decode", "sample", "walk", "encode", "rows", "colour", "cached", "unchanged"}
    ),
)
