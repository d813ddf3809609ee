"""The ceiling of HTTP in Python: a raw ASGI application under uvicorn that answers fixed bytes."""

from benchmarks.peers.peer import Launch, Peer
from benchmarks.questions import Decode, Encode, Question, Rows, Sample, Unchanged, get, post

# About what the real answers weigh.
PICTURE, SHEET, STRIP, LATENTS, ARRAY, COLOUR = 400, 18_000, 4_000, 900, 3_211_392, 7_400


def _command(launch: Launch) -> list[str]:
    return [
        *(str(launch.python), "-m", "uvicorn", "benchmarks.peers.bare.server:application"),
        *("--port", str(launch.port), "--workers", str(launch.processes)),
        *("--no-access-log", "--log-level", "warning"),
    ]


def _ask(question: Question) -> bytes:
    """The path says how many bytes to answer; the body is as large as a real one."""
    match question:
        case Unchanged(_, etag):
            return get("/304", If_None_Match=etag)
        case Encode(png):
            return post(f"/{LATENTS}", png, "image/png")
        case Rows():
            return post(f"/{ARRAY}", b"{}", "application/json")
        case Sample(n):
            return post(f"/{PICTURE if n == 1 else SHEET}", b"{}", "application/json")
        case Decode(model, latent):
            size = COLOUR if model == "colour" else PICTURE
            return post(f"/{size}", b" " * 8 * len(latent), "application/json")
        case _:
            return post(f"/{STRIP}", b" " * 300, "application/json")


PEER = Peer(
    name="bare",
    title="raw ASGI under uvicorn, fixed bytes, no model: what HTTP alone allows",
    command=_command,
    ask=_ask,
    ready="/1",
    packages=("uvicorn", "uvloop", "httptools"),
    own_venv=False,
    operations=frozenset(
        {"decode", "sample", "walk", "encode", "rows", "colour", "cached", "unchanged"}
    ),
)
