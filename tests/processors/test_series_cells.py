"""Series as people keep them: lists, arrays, NumPy's and CSV files, and what is wrong with some."""

import contextlib
import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from plait.errors import DataError, EmptyValue
from plait.processors.series_cells import as_bytes, read_series


def npz(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


@given(
    hnp.arrays(
        np.float64, hnp.array_shapes(min_dims=1, max_dims=2, min_side=1, max_side=9), elements=st.floats(-1e6, 1e6)
    )
)
def test_lists_arrays_and_files_are_one_series(array: np.ndarray) -> None:
    expected = array[:, None] if array.ndim == 1 else array
    for cell in (array, array.tolist(), array.astype(object).tolist()):
        np.testing.assert_array_equal(read_series(as_bytes(cell)).values, expected)
    assert as_bytes(array) == as_bytes(array.tolist())
    np.testing.assert_array_equal(read_series(npz(values=array)).values, expected)


def test_gaps_stay_gaps() -> None:
    for cell in ([1, None, 3], [1.0, float("nan"), 3.0], ["1", "", "3"], [1, "NA", 3], [1, float("inf"), 3]):
        values = read_series(as_bytes(cell)).values[:, 0]
        assert values[[0, 2]].tolist() == [1, 3] and np.isnan(values[1])
    rows = read_series(as_bytes([[1, 2], None, [3, None]])).values
    assert np.isnan(rows[1]).all() and np.isnan(rows[2, 1]) and rows[2, 0] == 3


def test_a_csv_file_with_moments_and_channels() -> None:
    text = b"timestamp;speed;heart\n2026-01-01T00:00:00Z;1;60\n2026-01-01T00:00:02.5Z;2;\n2026-01-01T00:00:03Z;;62\n"
    series = read_series(text)
    assert (series.times - series.times[0]).tolist() == [0, 2.5, 3.0] and not series.sorted
    np.testing.assert_array_equal(series.values, np.array([[1, 60], [2, np.nan], [np.nan, 62]]))
    plain = read_series("\ufeffa,b\n1,2\n3,4\n".encode())
    assert plain.times is None and plain.values.tolist() == [[1, 2], [3, 4]]
    assert read_series(b"time,a\n0.5,1\n1.5,2\n").times.tolist() == [0.5, 1.5]
    assert read_series(b"T,RH\r21.5,40\r20,41\r").names == ("T", "RH"), "a temperature is no clock"
    nothing = read_series(npz(values=[3, 1, 2], times=np.array(["NaT"] * 3, "M8[s]")))
    assert nothing.times is None and nothing.values[:, 0].tolist() == [3, 1, 2]


def test_times_out_of_order_are_sorted_and_doubles_stay() -> None:
    for times in (
        np.array([3.0, 1.0, 1.0, 2.0]),
        np.array(["2026-01-03", "2026-01-01", "2026-01-01", "2026-01-02"], "M8[D]"),
    ):
        series = read_series(npz(values=[3, 10, 11, 2], times=times))
        assert series.sorted and series.values[:, 0].tolist() == [10, 11, 2, 3] and (np.diff(series.times) >= 0).all()
    without = read_series(npz(values=[1, 2, 3], times=[0.0, np.nan, 5.0]))
    assert without.values[:, 0].tolist() == [1, 3] and without.untimed == 1, "a step without a time lies nowhere"


def test_one_step_and_ten_million(tmp_path: Path) -> None:
    assert read_series(as_bytes([5])).values.shape == (1, 1)
    np.save(tmp_path / "long.npy", np.arange(10_000_000, dtype=np.float32))
    assert read_series(tmp_path / "long.npy").values.shape == (10_000_000, 1)


def test_two_channels_of_one_name_are_refused() -> None:
    with pytest.raises(DataError, match="two channels have the name 'a'"):
        read_series(b"time,a,b,a\n0,1,2,3\n")


@pytest.mark.parametrize("cell", [[None, None], [float("nan")], [[None, None]]])
def test_nothing_in_it_is_missing(cell: Any) -> None:
    with pytest.raises(EmptyValue, match="holds no number"):
        read_series(as_bytes(cell))


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ([1, "x"], "expected numbers in a series, got 'x'"),
        (["1_000"], "expected numbers in a series, got '1_000'"),
        ([[1, 2], [3]], r"rows of one length in a series, got \[1, 2\]"),
        (np.zeros((2, 2, 2)), "got an array of 2×2×2"),
        (np.array(["a", "b"]), "got an array of <U1"),
        ([1, {"a": 2}], "expected records of numbers in a series, got '1' among them"),
        ([{"time": 1.0}], "expected a channel of numbers beside the time, got the fields time"),
        ([{"time": "noon", "a": 1}], "expected times as seconds or ISO dates"),
        ([1, [2], 3], "expected rows of numbers in a series, got '1' among them"),
    ],
)
def test_cells_that_are_no_series(cell: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        as_bytes(cell)


def pickled() -> bytes:
    file = io.BytesIO()
    np.save(file, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    return file.getvalue()


def claiming() -> bytes:
    """A header of 10 GB over a few bytes."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "<f8", "fortran_order": False, "shape": (1_250_000_000,)})
    return file.getvalue() + 16 * b"\0"


def bomb() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("values.npy", bytes(300_000_000))
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (pickled(), "without Python objects"),
        (claiming(), "whole and without Python objects"),
        (bomb(), "unpack to more than"),
        (npz(x=[1, 2]), "expected an array called values, got x.npy"),
        (npz(values=[1, 2], times=[1.0]), "2 steps and 1 times"),
        (npz(values=[1, 2], times=["a", "b"]), "expected times"),
        (as_bytes([1, 2, 3])[:-4], "damaged"),
        (b"\x93NUMPY\x01\x00\x10", "damaged"),
        (b"PK\x03\x04 no zip", "damaged"),
        (b"\xff\xfe\x00", "another kind"),
        (b"just words", "with a header and a row a step"),
        (b"a,b\n1,2\n3\n", "line 3: expected 2 columns"),
        (b"time,a\nyesterday,1\ntoday,2\n", "expected times as seconds or ISO dates"),
        (b"time,a\n1,one\n", "expected numbers in a series, got 'one'"),
        (b"1,2\n3,4\n5,6\n", "expected a first line of names"),
        (b"date,a\n20240130,1\n20240131,2\n", "expected ISO dates such as 2026-01-30, got '20240130'"),
    ],
)
def test_files_that_are_no_series_are_one_line(data: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read_series(data)
    assert "\n" not in str(caught.value)


@given(st.binary(max_size=200), st.sampled_from([b"", b"\x93NUMPY\x01\x00", b"PK\x03\x04", as_bytes([1, 2, 3])[:90]]))
def test_any_bytes_are_a_series_or_one_line(tail: bytes, head: bytes) -> None:
    with contextlib.suppress(DataError):
        assert np.isfinite(read_series(head + tail).values).any()


def test_any_byte_of_a_file_of_arrays_may_be_damaged() -> None:
    """What unpacks raises errors of its own: zlib's, LZMA's, of seeking before the start."""
    file = io.BytesIO()
    np.savez_compressed(file, values=np.random.default_rng(0).normal(size=300))
    whole = file.getvalue()
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 0x55
        with contextlib.suppress(DataError):
            read_series(bytes(damaged))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("values.npy", as_bytes([1, 2]))
    with pytest.raises(DataError, match="packed in a way that NumPy does not use"):
        read_series(packed.getvalue())
