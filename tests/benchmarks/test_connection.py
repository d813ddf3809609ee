"""Answers are read however they are cut into pieces."""

import pytest

from benchmarks.connection import Answer, Connection

PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello"
CHUNKED = (
    b"HTTP/1.1 503 No\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n"
    b"3\r\nhel\r\n2;note\r\nlo\r\n0\r\n\r\n"
)
EMPTY = b"HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n"


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_in_pieces_of_any_size(size: int) -> None:
    answers: list[Answer] = []
    connection = Connection(lambda _, answer: answers.append(answer), lambda *_: None)
    for whole in (PLAIN, CHUNKED, EMPTY):
        for start in range(0, len(whole), size):
            connection.data_received(whole[start : start + size])
    assert [(a.status, a.body, a.closes) for a in answers] == [
        (200, b"hello", False),
        (503, b"hello", True),
        (304, b"", False),
    ]
    assert answers[0].headers == {"content-length": "5", "x-a": "b"}


def test_an_answer_without_a_length_is_refused() -> None:
    connection = Connection(lambda *_: None, lambda *_: None)
    with pytest.raises(ValueError, match="neither"):
        connection.data_received(b"HTTP/1.1 200 OK\r\n\r\n")
