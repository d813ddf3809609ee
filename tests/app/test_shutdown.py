"""How a running service ends, as an orchestrator sees it."""

import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.app.processes import process, runs, service
from tests.factories import publish_kind
from tests.serving import environment

# The service as `python -m app` runs it, with a route that loses the device while a thread that
# nobody can stop hangs in it.
LOSES_ITS_DEVICE = """
import sys, threading, uvicorn
from app import listening, logs
from app.main import create_app
from app.server import Server
from app.settings import Settings

settings = Settings.read()
logs.set_up(settings)
app = create_app(settings)

@app.get("/lose")
def lose() -> str:
    hung = threading.Thread(target=threading.Event().wait)
    hung.start()
    threading.Thread(target=app.state.fatal, args=["the device does not answer"]).start()
    hung.join()
    return ""

sockets = listening.bind("127.0.0.1", 0, shared=False)
config = uvicorn.Config(app, log_config=None, lifespan="on")
say = lambda: print("ready:", listening.url(sockets[0]), file=sys.stderr, flush=True)
server = Server(config, app, 60.0, say)
server.run(sockets)
sys.exit(server.exit_status)
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("ending") / "store"
    store.mkdir()
    publish_kind(store, "grey")
    return store


@pytest.mark.parametrize("workers", [1, 2])
def test_it_is_not_ready_then_answers_on_then_refuses_then_ends(
    store: Path, tmp_path: Path, workers: int
) -> None:
    settings = environment(store, workers=workers, drain_delay_s=3) | {"TMPDIR": str(tmp_path)}
    with process(["-m", "app"], settings) as running:
        assert running.get("/health/ready").status_code == 200
        processes = running.workers()
        assert len(processes) == (workers if workers > 1 else 0)
        running.process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        running.said("not ready any more; ending in 3 s", times=workers)
        answers = 0
        while time.monotonic() < began + 2:
            assert running.get("/health/ready").status_code == 503
            assert running.get("/sample?seed=1").status_code == 200
            answers += 1
        assert answers
        assert "latentd_ready 0.0" in running.get("/metrics").text
        url = running.url
        assert running.end() == 0, running.log
        assert time.monotonic() - began >= 3
        with pytest.raises(httpx.ConnectError):
            httpx.get(url)
        assert not any(map(runs, processes))
        assert not list(tmp_path.iterdir())
        assert "Traceback" not in running.log


def test_a_second_signal_ends_the_delay(store: Path) -> None:
    with service(store, drain_delay_s=60) as running:
        assert running.url
        running.process.send_signal(signal.SIGTERM)
        running.said("not ready any more")
        running.process.send_signal(signal.SIGTERM)
        assert running.end() == 0, running.log


def test_what_is_in_progress_is_answered_and_nothing_new_is(store: Path) -> None:
    with service(store) as running, ThreadPoolExecutor(1) as pool:
        url = running.url
        # A body that arrives while the service ends: its request is in progress all the while.
        answer = pool.submit(
            httpx.post,
            f"{url}/sample",
            headers={"Content-Type": "application/json"},
            content=slowly(b'{"n": 2, "seed": 1}', 0.05),
            timeout=20,
        )
        time.sleep(0.3)
        running.process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        with pytest.raises(httpx.ConnectError):
            httpx.get(url)
        assert answer.result().status_code == 200
        assert running.end() == 0, running.log


def slowly(body: bytes, seconds: float) -> Iterator[bytes]:
    for byte in body:
        time.sleep(seconds)
        yield bytes([byte])


def test_a_lost_device_ends_the_process_with_a_status_of_its_own(store: Path) -> None:
    with process(["-c", LOSES_ITS_DEVICE], environment(store)) as running:
        url = running.url
        with ThreadPoolExecutor(1) as pool:
            pool.submit(httpx.get, f"{url}/lose", timeout=20)
            running.said("CRITICAL .*the device does not answer")
            began = time.monotonic()
            assert running.end() == 70, running.log
            assert time.monotonic() - began < 3
    assert running.log.count("CRITICAL") == 1


def test_a_lost_device_ends_another_server_by_its_own_means(store: Path) -> None:
    command = """
import uvicorn
from app.main import create_app
app = create_app()

@app.get("/lose")
async def lose() -> None:
    app.state.fatal("the device does not answer")

uvicorn.run(app, port=0)
"""
    with process(["-c", command], environment(store)) as running:
        port = running.said(r"running on http://127.0.0.1:(\d+)")[1]
        httpx.get(f"http://127.0.0.1:{port}/lose")
        assert running.end() == -signal.SIGTERM
        assert "cannot go on: the device does not answer" in running.log
