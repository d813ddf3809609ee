"""Forms as they are sent to bring readers of forms down: work in proportion, memory alone."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from app.errors import BadBody, LatentdError, LimitExceeded
from app.form_files import form_effort, read_form
from tests.app.conftest import problem
from tests.app.processes import Service, service
from tests.serving import READY

NUM_BYTES = 4_000_000
BOUNDARY = b"b" * 70
TYPE = b"multipart/form-data; boundary=" + BOUNDARY
HEAD = b"--" + BOUNDARY + b'\r\nContent-Disposition: form-data; name="images"; filename="a"\r\n\r\n'
END = b"\r\n--" + BOUNDARY + b"--\r\n"


def many(piece: bytes) -> bytes:
    return piece * (NUM_BYTES // len(piece))


# Bodies after CVE-2023-46136 (a part of line ends), CVE-2024-53981 (line ends before and much
# behind), CVE-2024-47874 (fields without end), CVE-2025-54121 (files that went onto a disk) and
# the floods that came with them.
HOSTILE = {
    "no boundary comes": HEAD + bytes(NUM_BYTES),
    "line ends": HEAD + many(b"\r") + END,
    "beginnings of boundaries": HEAD + many(b"\r\n--" + BOUNDARY[1:]) + END,
    "ends before": many(b"\r\n") + HEAD + END,
    "nothing but ends": many(b"\r\n"),
    "an epilogue": HEAD + END + bytes(NUM_BYTES),
    "one large file": HEAD + bytes(NUM_BYTES) + END,
    "one large field": HEAD.replace(b"; filename", b"; file") + bytes(NUM_BYTES) + END,
    "many files": many(HEAD + b"\r\n") + END,
    "many fields": many(HEAD.replace(b"; filename", b"; file") + b"\r\n") + END,
    "a head without end": b"--" + BOUNDARY + b"\r\na: " + many(b"x"),
    "a name without end": b"--" + BOUNDARY + b"\r\n" + many(b"x"),
    "many headers": b"--" + BOUNDARY + b"\r\n" + many(b"a: b\r\n"),
    "heads of semicolons": many(HEAD.replace(b"a\r\n", b"a" + b";" * 1900 + b"\r\n") + b"\r\n"),
}
TYPES = {
    "semicolons": b"multipart/form-data; " + b";" * 50_000,
    "parameters": b"multipart/form-data; " + b"a*0=b;" * 9_000,
    "back slashes": b'multipart/form-data; boundary="' + b"\\" * 50_000,
    "a long boundary": b"multipart/form-data; boundary=" + b"b" * 50_000,
    "a boundary of 300": b"multipart/form-data; boundary=" + b"b" * 300,
    "an empty boundary": b"multipart/form-data; boundary=",
}


def at_most_4096(count: int) -> None:
    if count > 4096:
        raise LimitExceeded("too many")


@pytest.mark.parametrize("name", HOSTILE)
def test_a_form_is_read_in_time_that_goes_with_its_size(name: str) -> None:
    body = HOSTILE[name]
    began = time.process_time()
    files: list[bytes] = []
    with suppress(LatentdError):
        files = read_form(body, TYPE, b"images", at_most_4096)
    assert sum(map(len, files)) <= len(body)
    assert time.process_time() - began < 5
    assert form_effort(body) >= len(body) >> 4


@pytest.mark.parametrize("name", TYPES)
def test_a_type_that_takes_long_to_take_apart_is_not_taken_apart(name: str) -> None:
    began = time.process_time()
    with pytest.raises(BadBody):
        read_form(HEAD + END, TYPES[name], b"images", at_most_4096)
    assert time.process_time() - began < 1


def test_files_come_out_as_they_went_in() -> None:
    contents = [b"", b"\r\n", b"\r\n--" + BOUNDARY[1:], bytes(range(256)) * 20_000, b"\r\n--"]
    other = HEAD.replace(b'"images"', b'"others"') + b"not this\r\n"
    body = other.join(HEAD + content + b"\r\n" for content in contents).removesuffix(b"\r\n") + END
    counts: list[int] = []
    assert read_form(body, TYPE, b"images", counts.append) == contents
    assert counts == [*range(1, 2 * len(contents))]


@pytest.fixture(scope="module")
def form_reader(small_store: Path) -> Iterator[Service]:
    with service(small_store, models="grey@1") as running:
        running.said(READY.pattern)
        yield running


def test_a_service_that_is_sent_them_answers_each_and_others_meanwhile(
    form_reader: Service,
) -> None:
    def send(case: tuple[bytes, bytes]) -> httpx.Response:
        content_type, body = case
        headers = [(b"Content-Type", content_type)]
        url = form_reader.url + "/encode"
        return httpx.post(url, content=body, headers=headers, timeout=60)

    cases = [(TYPE, body) for body in HOSTILE.values()]
    cases += [(content_type, HEAD + END) for content_type in TYPES.values()]
    with ThreadPoolExecutor(4) as pool:
        answers = pool.map(send, cases)
        for _ in range(20):
            assert form_reader.get("/health/live").status_code == 200
        for answer in answers:
            assert answer.status_code in (400, 422), answer.text
            assert problem(answer, answer.status_code)
    assert form_reader.get("/sample?seed=1").status_code == 200
    assert "Traceback" not in form_reader.log


def deleted_files(pid: int) -> set[str]:
    """What a process has open that has no name, as temporary files have."""
    found = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found.add(str(link.readlink()))
        except OSError:  # closed meanwhile
            continue
    return {name for name in found if "(deleted)" in name}


def test_no_file_of_a_form_lies_on_a_disk(form_reader: Service) -> None:
    """While a form comes, the service's own descriptors say so."""
    large = HEAD + bytes(NUM_BYTES)
    before = deleted_files(form_reader.process.pid)
    seen: set[str] = set()

    def parts() -> Iterator[bytes]:
        for start in range(0, len(large), 500_000):
            yield large[start : start + 500_000]
            time.sleep(0.02)
            seen.update(deleted_files(form_reader.process.pid))
        yield END

    headers = {"Content-Type": TYPE.decode()}
    assert problem(httpx.post(form_reader.url + "/encode", content=parts(), headers=headers), 400)
    assert seen <= before
