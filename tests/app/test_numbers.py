"""Numbers from outside: only numbers, at a constant factor of what was sent, in memory and time."""

import io
import json
import tracemalloc
import warnings
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import BadBody, BadValue
from app.formats import npy
from app.formats.json import TOGETHER, dump
from app.operations.dimensions import interpolate_quantiles
from app.routes.numbers import BLOCK, rows_from_array, rows_from_lists

# Bytes of memory for each byte of JSON: a float of two characters is eight in an array of doubles.
FACTOR = 12
SLACK = 200_000

Leaf = st.one_of(
    st.none(),
    st.booleans(),
    st.text(max_size=3),
    st.integers(),
    st.floats(),
    st.just(10**400),
    st.just({}),
    st.just([]),
)
Nested = st.recursive(Leaf, lambda inner: st.lists(inner, max_size=4), max_leaves=20)


def peak_of(work: Callable[[], object]) -> int:
    """Bytes that were allocated at once while `work` ran, whatever came of it."""
    tracemalloc.start()
    try:
        work()
    except (BadValue, BadBody):
        pass
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    return peak


BOMBS: dict[str, object] = {
    "one long text": [["a" * 50_000] + [""] * 499],
    "one long text, deep": [[[["a" * 50_000]]] + [[[""]]] * 499],
    "texts that are numbers": [["1" * 20_000] + ["1"] * 4],
    "true": [[True, 0, 0, 0, 0]],
    "null": [[None, 0, 0, 0, 0]],
    "objects": [[{}, {}, {}, {}, {}]],
    "a whole number of thousands of digits": [[10**4000] + [0] * 4] * 20,
    "many of them": [[10**300] * 5] * 200,
    "rows of no length": [[] for _ in range(50_000)],
    "ragged": [[0.0] * 5, [0.0] * 4] * 5000,
    "of mixed depth": [[0, 0, 0, 0, [0]]] * 5000,
    "the depth of a row beside one": [0, [0, 0, 0, 0, 0]] * 5000,
    "one more than a row": [[0.0] * 6] * 5000,
    "a row of thousands": [[0.0] * 100_000],
    "texts of all lengths": [["x" * length for length in range(500)]] * 5,
    "deep": json.loads("[" * 150 + "0" + "]" * 150),
}


@pytest.mark.parametrize("name", BOMBS)
def test_what_is_no_row_is_refused_at_a_constant_factor(name: str) -> None:
    values = BOMBS[name]
    assert isinstance(values, list)
    size = len(json.dumps(values)) if "digits" not in name else 80_000
    with pytest.raises(BadValue) as refused:
        rows_from_lists(values, (5,), "latents")
    assert len(str(refused.value)) < 400
    assert peak_of(lambda: rows_from_lists(values, (5,), "latents")) < FACTOR * size + SLACK


@settings(deadline=None)
@given(st.lists(Nested, min_size=1, max_size=6), st.sampled_from([(1,), (2,), (1, 2), (2, 1, 1)]))
def test_rows_are_given_or_refused_in_words(values: list[object], shape: tuple[int, ...]) -> None:
    try:
        rows = rows_from_lists(values, shape, "rows")
    except BadValue:
        return
    assert rows.dtype == np.float32
    assert rows.shape == (len(values), *shape)
    assert np.array_equal(rows, np.array(values, np.float64).astype(np.float32))
    assert np.isfinite(rows).all()


def test_rows_of_several_blocks_are_those_of_one_array() -> None:
    values = np.random.default_rng(0).normal(size=(3 * BLOCK // 8 + 5, 2, 4))
    expected = rows_from_array(values, (2, 4), "latents")
    assert np.array_equal(rows_from_lists(values.tolist(), (2, 4), "latents"), expected)
    place = len(values) - 2
    values[place, 1, 3] = 1e31
    with pytest.raises(BadValue, match=rf"latents\[{place}\] holds 1e\+31"):
        rows_from_lists(values.tolist(), (2, 4), "latents")


def npy_of(header: bytes, data: bytes = b"", version: int = 1) -> bytes:
    length = len(header).to_bytes(2 if version == 1 else 4, "little")
    return b"\x93NUMPY" + bytes([version, 0]) + length + header + data


HEADERS = {
    "deep": b"(" * 500 + b")" * 500,
    "deep signs": b"-" * 900 + b"1",
    "long": b"{'descr': '<f4'" + b" " * 60_000 + b"}",
    "of powers": b"{'descr': '<f4', 'fortran_order': False, 'shape': (9**9**9, 5), }",
    "a call": b"{'descr': print('x'), 'fortran_order': False, 'shape': (1, 5), }",
    "escapes": b"{'descr': '\\d', 'fortran_order': False, 'shape': (1, 5), }",
    "odd literals": b"{'descr': '<f4', 'fortran_order': 1is 1, 'shape': (1, 5), }",
    "digits": b"{'descr': '<f4', 'fortran_order': False, 'shape': (" + b"9" * 900 + b", 5), }",
    "fields": b"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1, 5), }",
    "several types": b"{'descr': '<f4,<f4', 'fortran_order': False, 'shape': (1, 5), }",
    "twice": b"{'descr': '<f4', 'descr': '<f8', 'fortran_order': False, 'shape': (1, 5), }",
    "more": b"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 5), 'x': 1, }",
    "objects": b"{'descr': '|O', 'fortran_order': False, 'shape': (1, 5), }",
    "huge": b"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999, 5), }",
    "negative": b"{'descr': '<f4', 'fortran_order': False, 'shape': (-1, -5), }",
    "no bytes each": b"{'descr': '|V0', 'fortran_order': False, 'shape': (9999999999, 5), }",
}


@pytest.mark.parametrize("version", [1, 2, 3])
@pytest.mark.parametrize("name", HEADERS)
def test_an_npy_header_is_data_and_costs_little(name: str, version: int) -> None:
    body = npy_of(HEADERS[name], bytes(20), version)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(BadBody, match=r"\.npy"):
            npy.read(body)
    assert peak_of(lambda: npy.read(body)) < 4 * len(body) + 20_000


@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f8", ">f8", "|u1", "<i8", ">i2", "<f2"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_an_npy_of_any_kind_of_number_is_read_where_it_lies(dtype: str, order: str) -> None:
    given = np.arange(40_000).reshape(-1, 5).astype(dtype)
    file = io.BytesIO()
    np.save(file, np.asfortranarray(given) if order == "F" else given)
    body = file.getvalue()
    assert np.array_equal(npy.read(body), given)
    assert peak_of(lambda: npy.read(body)) < 20_000


def test_an_npy_may_be_written_by_others_than_numpy() -> None:
    data = np.arange(10, dtype="<f4").tobytes()
    for header in (
        b"{'shape': (2, 5), 'fortran_order': False, 'descr': '<f4'}\n",
        b'{"descr": "<f4", "fortran_order": False, "shape": (2, 5,), }      \n',
        b"{'descr':'<f4','fortran_order':False,'shape':(2L,5L)}",
    ):
        assert npy.read(npy_of(header, data)).shape == (2, 5)


@pytest.mark.parametrize(
    "shape", [(1, 3), (TOGETHER, 1), (TOGETHER + 1, 1), (9000, 3, 4), (3, 2**17)]
)
def test_json_in_parts_is_the_json_at_once(shape: tuple[int, ...]) -> None:
    array = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    value = {"model": "a@1", "first": array, "none": None, "second": array[:, ::-1], "seed": 1}
    read = json.loads(dump(value))
    assert [*read] == [*value]
    assert np.array_equal(np.array(read["first"], np.float32), array)
    assert np.array_equal(np.array(read["second"], np.float32), array[:, ::-1])
    assert (read["model"], read["none"], read["seed"]) == ("a@1", None, 1)


@pytest.mark.parametrize("steps", [2, 3, 11, 64])
def test_quantiles_of_a_sorted_prior_are_numpys(steps: int) -> None:
    drawn = np.random.default_rng(2).normal(size=(4096, 7)).astype(np.float32)
    where = np.linspace(0.05, 0.95, steps)
    expected = np.quantile(drawn, where, axis=0).astype(np.float32)
    found = interpolate_quantiles(np.sort(drawn, axis=0), where, range(7))
    assert np.array_equal(found, expected)
    assert np.array_equal(
        interpolate_quantiles(np.sort(drawn, axis=0), where, (5, 2)), expected[:, [5, 2]]
    )
