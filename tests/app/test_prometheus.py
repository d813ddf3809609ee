"""`/metrics`, called on a running service."""

import socket
from contextlib import ExitStack

import httpx
import pytest

from tests.app.conversation import connected, rest
from tests.app.processes import until

REFUSED = {
    "400": b"nonsense\r\n\r\n",
    "431": b"GET / HTTP/1.1\r\nHost: a\r\n" + b"a: b\r\n" * 1000 + b"\r\n",
    "501": b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
    "505": b"GET / HTTP/2.0\r\nHost: a\r\n\r\n",
}


def value_of(client: httpx.Client, line: str) -> float:
    lines = client.get("/metrics").text.splitlines()
    return sum(float(text.rpartition(" ")[2]) for text in lines if text.startswith(line))


def test_metrics_count_what_happened(client: httpx.Client) -> None:
    def value(line: str) -> float:
        return value_of(client, line)

    requests = 'latentd_requests_total{method="GET",route="/models/{model}/sample",status="200"}'
    rows = 'latentd_batch_rows_sum{model="grey@2",operation="decode"}'
    before = value(requests), value(rows)
    client.get("/models/grey@2/sample?n=5")
    assert value(requests) == before[0] + 1
    assert value(rows) == before[1] + 5
    assert value("latentd_ready") == 1
    assert value("latentd_model_info") == 5
    assert value("latentd_queued_rows") == 0


def test_the_answer_is_prometheus_text(client: httpx.Client) -> None:
    answer = client.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    for line in answer.text.splitlines():
        assert line.startswith("#") or float(line.rpartition(" ")[2]) >= 0


@pytest.mark.parametrize(("status", "sent"), REFUSED.items())
def test_what_the_server_answers_by_itself_is_counted(
    client: httpx.Client, status: str, sent: bytes
) -> None:
    line = f'latentd_refused_total{{status="{status}"}}'
    before = value_of(client, line), value_of(client, "latentd_requests_total")
    with connected(client) as connection:
        connection.sendall(sent)
        assert rest(connection).split(b" ")[1] == status.encode()
    assert value_of(client, line) == before[0] + 1
    # Nothing is counted twice: those three are what asked for the counts.
    assert value_of(client, "latentd_requests_total") == before[1] + 2


def test_connections_and_what_is_held_for_them_are_counted_and_go_again(
    client: httpx.Client,
) -> None:
    def connections() -> float:
        return value_of(client, "latentd_connections ")

    def held() -> float:
        return value_of(client, "latentd_in_flight_bytes ")

    half = b"POST /decode HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n" + b" " * 30000
    with ExitStack() as stack:
        sockets: list[socket.socket] = [stack.enter_context(connected(client)) for _ in range(5)]
        for connection in sockets:
            connection.sendall(half)
        until(lambda: connections() >= 5, lambda: f"{connections()} connections")
        until(lambda: held() == 5 * 30000, lambda: f"{held()} bytes")
    until(lambda: connections() <= 1 and not held(), lambda: f"{connections()}, {held()}")
