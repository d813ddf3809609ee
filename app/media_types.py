"""What a body says it is, under the names that clients have for it, and the texts within."""

import re
from base64 import b64decode
from binascii import Error as Base64Error
from functools import lru_cache
from urllib.parse import unquote

from app.errors import BadBody, UnsupportedBody

JSON = "application/json"
NPY = "application/x-npy"
# Names that stand for another: unregistered ones from before there was one, and those of files
# whose sender knows no better.
ALIASES = {
    "text/json": JSON,
    "text/x-json": JSON,
    "application/x-json": JSON,
    "application/npy": NPY,
    "application/x-numpy": NPY,
    "application/vnd.numpy": NPY,
    "image/jpg": "image/jpeg",
    "image/pjpeg": "image/jpeg",
    "image/x-jpeg": "image/jpeg",
    "image/x-png": "image/png",
    "image/apng": "image/png",
    "image/vnd.mozilla.apng": "image/png",
    "image/x-webp": "image/webp",
}
UTF8_MARK = b"\xef\xbb\xbf"
# How JSON begins in UTF-16 and UTF-32, with their mark or without: its first character is ASCII.
OTHER_UNICODE = re.compile(rb"(\xff\xfe|\xfe\xff|\0.|[^\0]\0).", re.DOTALL)
UTF8_CHARSETS = ("", "utf-8", "utf8", "us-ascii", "ascii")
CHARSET = re.compile(r";\s*charset\s*=\s*\"?([^\s;\"]*)")

DATA_URL = re.compile(r"data:[^,]{0,200},", re.IGNORECASE)
ADDRESS = re.compile(r"(https?|ftp|file|blob):", re.IGNORECASE)
WHITE = {ord(character): None for character in " \t\r\n\f\v"}
URL_SAFE = str.maketrans("-_", "+/")


@lru_cache(256)
def media_type(header: bytes) -> str:
    """A Content-Type without its parameters, by its usual name; empty where there is none.

    Raises UnsupportedBody for JSON in another charset than UTF-8.
    """
    text = header.decode("latin-1").lower()
    given = text.partition(";")[0].strip()
    found = JSON if given.endswith("+json") else ALIASES.get(given, given)
    charset = CHARSET.search(text)
    if found == JSON and charset and charset[1] not in UTF8_CHARSETS:
        raise UnsupportedBody(
            f"the body's charset is {charset[1][:40]}; JSON is UTF-8: encode it so, and leave the "
            "charset out"
        )
    return found


def json_text(body: bytes) -> bytes:
    """JSON without the mark that some editors put before it; raises BadBody for UTF-16 and -32."""
    if body[:1] in (b"{", b"[", b" ", b"\n") and body[1:2] != b"\0":
        return body
    if body.startswith(UTF8_MARK):
        return body[len(UTF8_MARK) :]
    if OTHER_UNICODE.match(body):
        raise BadBody("the body is UTF-16 or UTF-32; JSON is UTF-8: save or encode it so")
    return body


def file_of_base64(text: str, what: str) -> bytes:
    """The file of a base64 text as encoders write it; raises BadBody, which calls it `what`.

    In lines or not, in the alphabet for URLs or not, padded or not, in a data URL or not.
    """
    try:
        return b64decode(text, validate=True)
    except (Base64Error, ValueError):
        return _file_of_other_base64(text, what)


def _file_of_other_base64(text: str, what: str) -> bytes:
    text = text.strip()
    if ADDRESS.match(text):
        raise BadBody(f"{what} is an address; nothing is fetched here: send the file, in base64")
    label = DATA_URL.match(text)
    if label:
        if not label[0].lower().endswith("base64,"):
            raise BadBody(f"{what} is a data URL without base64: write data:…;base64,…")
        # Browsers hand out data URLs; what stands before the comma is only their label.
        text = unquote(text[label.end() :])
    text = text.translate(WHITE).translate(URL_SAFE).rstrip("=")
    try:
        return b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (Base64Error, ValueError):
        raise BadBody(
            f"{what} is not base64: it may hold A-Z, a-z, 0-9, + and / (or - and _), = at its end, "
            "white space, and data:…;base64, before it"
        ) from None
