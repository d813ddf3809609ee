"""The API that all peers share: POST /OPERATION with JSON or a PNG. Standard library only."""

from benchmarks.peers.peer import Launch
from benchmarks.questions import (
    Decode,
    Encode,
    Question,
    Rows,
    Sample,
    Walk,
    post,
    post_json,
)

WAIT_MS = 2  # that a batch waits to be filled, where a server batches by waiting


def ask(question: Question) -> bytes:
    """The request of a question."""
    match question:
        case Decode(model, latent):
            return post_json("/colour" if model == "colour" else "/decode", {"latent": latent})
        case Sample(n, seed):
            return post_json("/sample", {"n": n, "seed": seed})
        case Walk(start, end, steps):
            return post_json("/walk", {"start": start, "end": end, "steps": steps})
        case Encode(png):
            return post("/encode", png, "image/png")
        case Rows(n, seed):
            return post_json("/rows", {"n": n, "seed": seed})
        case _:
            raise TypeError(f"peers are not asked {type(question).__name__}")


def environment(launch: Launch) -> dict[str, str]:
    """What `given` reads in the server's process."""
    return {
        "PEER_STORE": str(launch.store),
        "PEER_PORT": str(launch.port),
        "PEER_OPERATION": launch.operation,
        "PEER_PROCESSES": str(launch.processes),
        "PEER_BATCH": str(launch.batch),
        "PEER_PNG_LEVEL": str(launch.png_level),
    }
