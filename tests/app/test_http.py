"""What holds for every path: ids, errors, documentation, origins, clients that leave."""

import re
import socket
import time

import httpx
import pytest

from tests.app.conftest import picture, problem


def test_every_answer_has_an_id_and_keeps_the_one_it_was_given(client: httpx.Client) -> None:
    first, second = (client.get("/health/live").headers["X-Request-Id"] for _ in range(2))
    assert first != second
    given = {"X-Request-Id": "from-a-proxy_1"}
    assert client.get("/health/live", headers=given).headers["X-Request-Id"] == "from-a-proxy_1"
    bad = {"X-Request-Id": "no spaces\tor <tags>"}
    assert client.get("/health/live", headers=bad).headers["X-Request-Id"] != bad["X-Request-Id"]


def test_an_unknown_path_and_method_are_problems(client: httpx.Client) -> None:
    assert "/docs" in problem(client.get("/sampel"), 404)
    assert "DELETE" in problem(client.delete("/sample"), 405)
    assert "POST" in client.get("/decode").headers["Allow"]


def test_every_example_in_the_documentation_works(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    tried = 0
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            values = {}
            for parameter in operation.get("parameters", []):
                example = parameter.get("example")
                if parameter["in"] == "path":
                    path = path.replace("{" + parameter["name"] + "}", example)  # noqa: PLW2901
                elif example is not None:
                    values[parameter["name"]] = example
                else:
                    assert not parameter.get("required"), (path, parameter["name"])
            content = operation.get("requestBody", {}).get("content", {})
            if content and "application/json" not in content:
                assert path.endswith("/decompress")  # whose one example is an answer
                continue
            body = content.get("application/json", {}).get("example")
            if path.endswith("/neighbours"):
                continue  # of models alone that were published with rows
            assert body is not None or not content, path
            answer = client.request(method, path, params=values, json=body)
            assert answer.status_code == 200, (method, path, answer.text)
            tried += 1
    assert tried >= 16


def test_the_documentation_page_needs_no_other_host(client: httpx.Client) -> None:
    page = client.get("/docs").text
    parts = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert any(part.endswith(".js") for part in parts)
    for part in parts:
        assert client.get(part).status_code == 200
    assert "://" not in page


def test_only_a_listed_origin_may_call_from_a_page(client: httpx.Client) -> None:
    listed = client.get("/sample", headers={"Origin": "https://front.example"})
    assert listed.headers["Access-Control-Allow-Origin"] == "https://front.example"
    assert "X-Latentd-Seed" in listed.headers["Access-Control-Expose-Headers"]
    other = client.get("/sample", headers={"Origin": "https://else.example"})
    assert "Access-Control-Allow-Origin" not in other.headers


def test_by_default_no_other_origin_may_call(tight_client: httpx.Client) -> None:
    asks = {"Origin": "https://front.example", "Access-Control-Request-Method": "POST"}
    for answer in (
        tight_client.options("/interpolate", headers=asks),
        tight_client.get("/sample", headers=asks),
    ):
        assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize("path", ["/sample?n=4096&format=npy", "/sample?n=4096"])
def test_a_client_that_leaves_frees_the_device_and_hurts_nobody(
    client: httpx.Client, path: str
) -> None:
    address = (client.base_url.host, client.base_url.port or 80)
    for _ in range(5):
        with socket.create_connection(address) as connection:
            request = f"GET {path} HTTP/1.1\r\nHost: {address[0]}\r\n\r\n"
            connection.sendall(request.encode())
    assert picture(client.get("/sample?seed=1")).shape == (8, 8)
    deadline = time.monotonic() + 10
    while "latentd_queued_rows 0.0" not in client.get("/metrics").text:
        assert time.monotonic() < deadline
