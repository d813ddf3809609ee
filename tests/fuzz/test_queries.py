"""A query means what it says, however it is written, and equal questions are known as equal."""

import random
from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from app.formats import FORMATS
from app.paths import EASINGS, METHODS
from app.routes.lean_route import parse_query
from app.routes.wire_types import MAX_SEED, InterpolateQuery, MapQuery, SampleQuery, ScoreQuery

seeds = st.integers(0, MAX_SEED)
form = {
    "format": st.sampled_from([*FORMATS]),
    "layout": st.sampled_from(["grid", "strip"]),
    "columns": st.integers(1, 99),
    "scale": st.integers(1, 64),
    "fps": st.integers(1, 50),
    "repeats": st.integers(0, 9),
    "pingpong": st.booleans(),
}
QUESTIONS: dict[type[BaseModel], dict[str, st.SearchStrategy[object]]] = {
    SampleQuery: form
    | {"n": st.integers(1, 999), "seed": seeds, "temperature": st.floats(0, 10, width=32)},
    MapQuery: form | {"x": st.integers(0, 9), "y": st.integers(0, 9), "seed": seeds},
    ScoreQuery: {"k": st.integers(1, 999), "seed": seeds},
    InterpolateQuery: form
    | {
        "seed": st.lists(seeds, min_size=2, max_size=4),
        "steps": st.integers(2, 99),
        "method": st.sampled_from([*METHODS]),
        "easing": st.sampled_from([*EASINGS]),
        "loop": st.booleans(),
    },
}


def texts(values: dict[str, object]) -> list[tuple[str, str]]:
    """The parameters one by one."""
    pairs = []
    for name, value in values.items():
        for one in value if isinstance(value, list) else [value]:
            pairs.append((name, str(one).lower() if isinstance(one, bool) else str(one)))
    return pairs


def escaped(text: str, dice: random.Random) -> str:
    """The text with some of its characters as their numbers."""
    return "".join(f"%{ord(c):02x}" if dice.random() < 0.3 else quote(c, safe="") for c in text)


@given(data=st.data(), model=st.sampled_from([*QUESTIONS]), dice=st.randoms(use_true_random=False))
def test_a_query_is_read_alike_however_it_is_written(
    data: st.DataObject, model: type[BaseModel], dice: random.Random
) -> None:
    drawn = data.draw(st.fixed_dictionaries({}, optional=QUESTIONS[model]))
    if model is InterpolateQuery:
        drawn.setdefault("seed", [1, 2])
    plain = texts(drawn)
    read = parse_query(model, "&".join(f"{n}={v}" for n, v in plain).encode())
    for name, value in drawn.items():
        given_value = tuple(value) if isinstance(value, list) else value
        assert getattr(read, name) == given_value
    mixed = [pair for pair in plain if pair[0] != "seed"]
    dice.shuffle(mixed)
    mixed += [pair for pair in plain if pair[0] == "seed"]  # whose order says something
    other = "&".join(f"{escaped(n, dice)}={escaped(v, dice)}" for n, v in mixed)
    again = parse_query(model, other.encode())
    assert again == read
    # What the entity tag is made of.
    assert again.model_dump_json() == read.model_dump_json()


@given(data=st.data(), model=st.sampled_from([SampleQuery, MapQuery, ScoreQuery]))
def test_defaults_need_not_be_said(data: st.DataObject, model: type[BaseModel]) -> None:
    drawn = data.draw(st.fixed_dictionaries({}, optional=QUESTIONS[model]))
    short = parse_query(model, "&".join(f"{n}={v}" for n, v in texts(drawn)).encode())
    said = short.model_dump(exclude_none=True)
    said.pop("projection", None)
    whole = parse_query(model, "&".join(f"{n}={v}" for n, v in texts(said)).encode())
    assert whole == short
    assert whole.model_dump_json() == short.model_dump_json()
