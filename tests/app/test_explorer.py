"""The page's files as they are served: complete, small, by themselves, and guarded."""

import re
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import httpx
import pytest

from tests.architecture.sources import ROOT

FOLDER = ROOT / "app" / "explorer"
FILES = sorted(path for path in FOLDER.iterdir() if path.is_file())


def path_of(file: Path) -> str:
    return "/" if file.name == "index.html" else f"/explorer/{file.name}"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_file_is_served_as_what_it_is(client: httpx.Client, file: Path) -> None:
    answer = client.get(path_of(file))
    assert answer.content == file.read_bytes()
    kinds = {".js": "text/javascript", ".css": "text/css", ".html": "text/html"}
    assert answer.headers["Content-Type"].split(";")[0] == kinds.get(file.suffix, "image/svg+xml")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-cache"
    again = client.get(path_of(file), headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_a_tag_is_one_of_a_list_or_any_and_no_part_of_another(client: httpx.Client) -> None:
    tag = client.get("/").headers["ETag"]
    for known, status in (
        *((f'"x", W/{tag}', 304), ("*", 304)),
        *((f"x{tag}y", 200), (tag.strip('"'), 200), ('"*"', 200), ("", 200)),
    ):
        assert client.get("/", headers={"If-None-Match": known}).status_code == status


def test_the_policy_lets_nothing_in_from_elsewhere(client: httpx.Client) -> None:
    parts = client.get("/").headers["Content-Security-Policy"].split("; ")
    policy = dict(part.split(" ", 1) for part in parts)
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert not any("unsafe" in part or "*" in part or "://" in part for part in parts)


def test_what_is_no_file_of_the_page_is_not_there(client: httpx.Client) -> None:
    for path in ("/explorer/", "/explorer/none.js", "/explorer/..%2fmain.py", "/explorer"):
        assert client.get(path).status_code == 404


def test_the_page_fetches_all_its_modules_at_once() -> None:
    page = (FOLDER / "index.html").read_text()
    named = {Path(name).name for name in re.findall(r'(?:src|href)="(explorer/[^"]+)"', page)}
    assert named == {file.name for file in FILES} - {"index.html"}


def test_an_installed_package_has_every_file() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    patterns = settings["package-data"]["app"]
    for file in FILES:
        assert any(fnmatch(f"explorer/{file.name}", pattern) for pattern in patterns), file.name
