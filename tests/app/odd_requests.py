"""Requests of all kinds, right and wrong, for the endpoints that take the short way."""

import json
import random
from typing import Any

from app.routes.wire_types import Form

HOT = [*("/sample", "/interpolate", "/traverse", "/map", "/arithmetic"), *("/decode", "/encode")]
JSON = {"Content-Type": "application/json"}
WORDS = [
    *("", "+", "0", "1", "2", "3", "-1", "1.0", "2.50", "1e3", "1E1", "nan", "NaN", "inf"),
    *("-inf", "Infinity", "true", "false", "null", "None", "0x10", "1_0", "01", "-0", "%2B1"),
    *("%201", "1%20", "%09", "%00", "%31", "%2531", "%zz", "%", "%ff", "%C3%A9", "%D9%A3"),
    *("%EF%BC%91", "%F0%9F%8E%B2", "9007199254740991", "9007199254740992", "9" * 30, "9" * 5000),
    *("-" + "9" * 400, "1e400", "1e-400", "[]", "[1]", "{}", "1,2", "grid", "Grid", "strip"),
    *("png", "PNG", "json", "npy", "zip", "slerp", "linear", "cubic", "a=b", "'", "%0D%0A"),
    *("in", "in_out", "pixel", "even", "yes", "off"),
]
FORM = [*Form.model_fields]
NAMES = {
    "/sample": ["n", "seed", "temperature", *FORM],
    "/interpolate": [*("seed", "steps", "method", "easing", "spacing", "loop", "rows"), *FORM],
    "/map": ["x", "y", "steps", "seed", "projection", *FORM],
    "/traverse": FORM,
    "/arithmetic": FORM,
    "/decode": FORM,
    "/encode": ["seed"],
}
STRANGE_NAMES = ["sead", "N", "%6e", "n%20", "", "seed[]", "n.0", "model", "exchange", "query"]
GOOD_BODIES: dict[str, dict[str, Any]] = {
    "/sample": {"n": 2, "seed": 1, "temperature": 0.5},
    "/interpolate": {
        "points": [{"seed": 1}, {"latent": [0, 0, 0, 0, 0]}],
        "steps": 4,
        "method": "linear",
        "easing": "in",
        "spacing": "pixel",
        "loop": True,
        "rows": None,
    },
    "/map": {
        "point": {"seed": 1, "temperature": 0.5},
        "x": 3,
        "y": 0,
        "steps": 3,
        "projection": False,
    },
    "/traverse": {"point": {"seed": 1, "index": 3}, "dimensions": [0, 2], "steps": 3},
    "/arithmetic": {"terms": [{"seed": 1}, {"latent": [0, 0, 0, 0, 0], "weight": -0.5}]},
    "/decode": {
        "latents": [[0.5, -1, 0, 2, 1e-3]],
        "model": "grey@1",
        "mean": [],
        "log_var": None,
    },
    "/encode": {"images": ["aGVsbG8="]},
}
JUNK: list[Any] = [
    *(None, True, False, 0, 1, 2, -1, 1.0, 2.5, 1e3, 1e300, -0.0, 2**53, 2**53 - 1, 10**40),
    *("", "1", "1.0", " 1", "x", "é", "🎲", "slerp", "nan", "9" * 5000),
    *([], [1], [None], [[]], ["1"], {}, {"seed": 1}, {"a": {"b": [1, {"c": None}]}}),
    *([{}, {}], [{"seed": 1}, {"seed": -1}], [{"seed": 1}] * 3, [{"seed": 1, "row": [1]}, 7]),
    *([{"seed": 1.5}, {"seed": "2"}], [{"latent": 1}, {"image": 2}], [{"sead": 1}, None]),
]
NOT_JSON = [
    *(b"{", b"}", b"[", b"{]", b"{}{}", b"{} x", b"nul", b"nan", b"NaN", b"'a'", b"{'n': 1}"),
    *(b'{"n": 1,}', b'{"n" 1}', b"\xff\xfe", b'{"n": "\xff"}', b"\x00", b" ", b"\n", b"n=1"),
    *(b'{"n": 01}', b'{"n": +1}', b'{"n": .5}', b'{"n": 1', b'{"n": "\\x"}', b"--b\r\n"),
]
NOT_OBJECTS = [b"[]", b"1", b'"x"', b"true", b"[{}]", b"-1.5e3", b'[["n", 1]]']
ODD_JSON = [
    *(b"{}", b" {} ", b'{"n": 1, "n": 0}', b'{"n": 0, "n": 1}', b'{"n": NaN}', b'{"": 1}'),
    *(b'{"temperature": NaN}', b'{"temperature": Infinity}', b'{"temperature": 1e999}'),
    *(b'{"n": 1e0}', b'{"n": 1E+2}', b'{"n": 2.0}', b'{"seed": -0}', b'{"seed": 1e-400}'),
    *(b'{"\\u006e": 0}', b'{"n\\u0000": 1}', b'{"latents": []}', b'{"images": [], "rows": []}'),
    *(b'{"images": ["a"], "rows": [1]}', b'{"points": []}', b'{"steps": 1, "points": [1, 2, 3]}'),
]


def queries(dice: random.Random, path: str, count: int) -> list[bytes]:
    """Query strings: of names that there are and some that there are not, with any values."""
    found = []
    for _ in range(count):
        names = dice.choices(NAMES[path], k=dice.choice([0, 1, 1, 1, 2, 3, 5]))
        names += dice.choices(STRANGE_NAMES, k=dice.choice([0, 0, 0, 0, 1]))
        dice.shuffle(names)
        if path == "/interpolate" and dice.random() < 0.6:
            names += ["seed"] * 2
        parts = [
            f"{name}={dice.choice(WORDS if dice.random() < 0.6 else ['1', '2', '3'])}"
            if dice.random() < 0.95
            else name
            for name in names
        ]
        found.append(dice.choice(["&", "&", "&", "&&", ";"]).join(parts).encode())
    return found


def bodies(dice: random.Random, path: str, count: int) -> list[bytes]:
    """JSON of the right kind, with parts of it left out, replaced or added."""
    found = []
    for _ in range(count):
        body = dict(GOOD_BODIES[path])
        for name in dice.sample([*body], k=min(len(body), dice.choice([0, 1, 1, 1, 2]))):
            if dice.random() < 0.2:
                del body[name]
            else:
                body[name] = dice.choice(JUNK)
        if dice.random() < 0.2:
            body[dice.choice(["extra", "N", "", "seed", "rows", "format"])] = dice.choice(JUNK)
        found.append(json.dumps(body).encode())
    return found
