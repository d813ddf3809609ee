"""HEAD, OPTIONS, slashes, prefixes and hosts: laws over everything that the service answers."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi.openapi.utils import get_openapi

from app.main import create_app
from app.methods import legal_prefix
from app.routes.explorer import FOLDER, MEDIA_TYPES
from app.settings import Settings
from tests.app.conftest import problem
from tests.app.wire import Wire
from tests.serving import running

PAGE = [f"/explorer/{file.name}" for file in sorted(FOLDER.iterdir()) if file.suffix in MEDIA_TYPES]
PATHS = get_openapi(title="", version="", routes=create_app(Settings()).routes)["paths"]
QUERIES = {
    "/interpolate": "?seed=1&seed=2&steps=4",
    "/sample": "?seed=1",
    "/map": "?x=0&y=1&steps=3",
}
GETS = [
    *(path.replace("{model}", "grey@1") for path, methods in PATHS.items() if "get" in methods),
    *("/", "/docs", "/openapi.json", "/static-offline-docs/swagger-ui.css"),
    *(path for path in PAGE if not path.endswith("index.html")),
]
# Of one answer and the next they differ.
OF_THE_MOMENT = {"date", "x-request-id", "server-timing"}


def target(path: str) -> str:
    return path + next((query for end, query in QUERIES.items() if path.endswith(end)), "")


@pytest.mark.parametrize("path", GETS)
def test_head_is_get_without_its_body(client: httpx.Client, path: str) -> None:
    got, head = client.get(target(path)), client.head(target(path))
    assert got.status_code == head.status_code == 200
    assert got.content
    assert not head.content
    if path != "/metrics":  # which the first of the two has changed
        assert "Content-Length" in head.headers
        names = {*got.headers, *head.headers}
        unlike = {name for name in names if got.headers.get(name) != head.headers.get(name)}
        assert unlike <= OF_THE_MOMENT
    assert got.headers["X-Content-Type-Options"] == "nosniff"
    assert got.headers["Content-Security-Policy"].startswith("default-src 'none'")


@pytest.mark.parametrize("path", [*PATHS, "/docs", "/explorer/main.js"])
def test_options_says_what_a_path_takes_and_it_does(client: httpx.Client, path: str) -> None:
    path = path.replace("{model}", "grey@1")
    answer = client.options(path)
    assert answer.status_code == 204
    assert "Content-Length" not in answer.headers
    assert not answer.content
    methods = answer.headers["Allow"].split(", ")
    assert "OPTIONS" in methods
    assert ("GET" in methods) == ("HEAD" in methods)
    for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "TRACE"):
        refused = client.request(method, path)
        assert (refused.status_code == 405) == (method not in methods), (method, path)
        if refused.status_code == 405:
            assert refused.headers["Allow"].split(", ") == methods
    assert client.options("*", extensions={"target": b"*"}).status_code == 204
    assert problem(client.options("/nothing"), 404)


def test_head_of_many_samples_draws_none(client: httpx.Client) -> None:
    for form in ("npy", "zip", "safetensors"):
        answer = client.head(f"/sample?n=1000000&seed=1&format={form}")
        assert answer.status_code == 200
    assert client.head("/sample?n=0").status_code == 422
    tag = client.get("/sample?seed=4").headers["ETag"]
    assert client.head("/sample?seed=4", headers={"If-None-Match": tag}).status_code == 304


@pytest.mark.parametrize("path", [path for path in GETS if path != "/"])
def test_a_slash_at_the_end_is_answered_and_leads_nowhere_else(
    client: httpx.Client, path: str
) -> None:
    split = target(path).partition("?")
    evil = {"Host": "evil.example", "X-Forwarded-Host": "evil.example"}
    answer = client.get(f"{split[0]}/?{split[2]}", headers=evil, follow_redirects=False)
    assert answer.status_code in (200, 404)
    assert "Location" not in answer.headers
    assert "evil" not in str(answer.headers) + answer.text
    twice = client.get(f"{split[0]}//?{split[2]}", follow_redirects=False)
    assert twice.status_code == (200 if path.startswith("/static-offline-docs") else 404)
    assert "Location" not in twice.headers


@pytest.fixture(scope="module")
def below(small_store: Path) -> Iterator[httpx.Client]:
    """A service below a prefix, asked by some hosts alone, whose tests are a trusted proxy."""
    with running(
        small_store,
        models="grey@1",
        root_path="/vae",
        trusted_proxies="10.0.0.0/8,127.0.0.1,::1",
        allowed_hosts="vae.example,*.inner.example",
    ) as client:
        client.headers["Host"] = "vae.example"
        yield client


@pytest.mark.parametrize("left", ["", "/vae"], ids=["prefix taken off", "prefix left"])
def test_below_a_prefix_everything_is_found(below: httpx.Client, left: str) -> None:
    sample = below.get(f"{left}/sample?seed=1")
    assert sample.content == below.get("/sample?seed=1").content
    assert below.head(f"{left}/sample/?seed=1").headers["ETag"] == sample.headers["ETag"]
    assert below.get(f"{left}/models/grey@1").json()["id"] == "grey@1"
    assert below.get(f"{left}/").status_code == 200
    assert below.get(f"{left}/openapi.json").json()["servers"] == [{"url": "/vae"}]
    assert "/vae/docs" in problem(below.get(f"{left}/nothing"), 404)
    page = below.get(f"{left}/docs")
    links = re.findall(r'(?:src|href)="([^"]+)"', page.text) + re.findall("url: '(.+?)'", page.text)
    assert len(links) == 4
    for link in links:
        assert link.startswith("/vae/")
        assert below.get(link.removeprefix("/vae") if not left else link).status_code == 200


def test_below_a_prefix_no_error_names_an_address_that_is_none(below: httpx.Client) -> None:
    many = {"points": [{"sead": 1}] * 300}
    for method, path, body, status in (
        ("GET", "/nothing", None, 404),
        ("PUT", "/sample", None, 405),
        ("GET", "/sample?sead=1", None, 422),
        ("POST", "/reconstruct", many, 422),
        ("POST", "/decompress", b"nothing", 415),
        ("GET", "/models/none/sample", None, 404),
    ):
        asked = {"content": body} if isinstance(body, bytes) else {"json": body}
        answer = below.request(method, path, **asked)
        detail = problem(answer, status)
        for address in re.findall(r"(?<![\w/])/(?:docs|models|openapi|vae)[\w/.]*", detail):
            assert address.startswith("/vae/"), detail


@pytest.mark.parametrize(
    ("given", "root"),
    [
        ("/other", "/other"),
        ("/a/b/", "/a/b"),
        ("", "/vae"),
        ("//evil.example", "/vae"),
        ("/..", "/vae"),
        ("/a/../b", "/vae"),
        ('/"><script>alert(1)</script>', "/vae"),
        ("/a, /b", "/vae"),
        ("https://evil.example", "/vae"),
        ("/" + "a" * 300, "/vae"),
    ],
)
def test_a_prefix_of_a_trusted_proxy_is_believed_if_it_is_one(
    below: httpx.Client, client: httpx.Client, given: str, root: str
) -> None:
    headers = {"X-Forwarded-Prefix": given}
    assert f'src="{root}/static-offline-docs/' in below.get("/docs", headers=headers).text
    # Nobody is trusted unless that is said.
    assert 'src="/static-offline-docs/' in client.get("/docs", headers=headers).text
    assert legal_prefix("/vae")
    assert not legal_prefix("")


@pytest.mark.parametrize("path", ["/sample?seed=1", "/docs", "/", "/metrics", "/models", "/decode"])
@pytest.mark.parametrize(
    ("host", "right"),
    [
        ("vae.example", True),
        ("VAE.example:8000", True),
        ("a.inner.example", True),
        ("inner.example", False),
        ("evilvae.example", False),
        ("vae.example.evil", False),
        ("evil-inner.example", False),
        ("127.0.0.1:80", False),
        ("[::1]:80", False),
        ("", False),
    ],
)
def test_another_host_is_not_answered(
    below: httpx.Client, path: str, host: str, *, right: bool
) -> None:
    answer = below.get(path, headers={"Host": host})
    if right:
        assert answer.status_code in (200, 405)
    else:
        assert "LATENTD_ALLOWED_HOSTS" in problem(answer, 421)
    assert below.get("/health/ready", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    ("target", "host", "status"),
    [
        ("http://vae.example", "evil.example", 200),
        ("http://VAE.example:80", "evil.example", 200),
        ("http://evil.example", "vae.example", 421),
        ("http://vae.example@evil.example", "vae.example", 421),
        ("http://[::1]:80", "vae.example", 421),
        ("", "vae.example", 200),
        ("", "evil.example", 421),
    ],
)
def test_an_absolute_target_says_which_host_is_asked(
    below: httpx.Client, target: str, host: str, status: int
) -> None:
    for path in ("/sample?seed=1", "/docs"):
        wire = Wire(below)
        with wire.socket:
            wire.socket.sendall(f"GET {target}{path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            assert wire.response().status == status


def test_a_target_with_odd_bytes_is_just_not_there(client: httpx.Client) -> None:
    for odd in ("%00", "%0a", "%ff", "%", "%zz", "..", "%2e%2e", "\\", "%F0%9F%8E%B2", "*"):
        wire = Wire(client)
        with wire.socket:
            for path in (f"/models/{odd}/sample", f"/{odd}", f"/explorer/{odd}"):
                wire.send(f"GET {path} HTTP/1.1")
                answer = wire.response()
                assert answer.status == 404, path
                assert "\n" not in str(answer.headers)
