"""Archives are byte for byte the standard library's, which reads them back, however large."""

import io
import zipfile

import pytest

from app.formats.zip import MOST, MOST_FILES, Archive

DATE = (1980, 1, 1, 0, 0, 0)


def written_by_python(files: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, DATE), data)
    return target.getvalue()


def written(files: dict[str, bytes]) -> bytes:
    archive = Archive()
    entries = [archive.entry(name.encode(), data) for name, data in files.items()]
    return b"".join([*entries, archive.end()])


@pytest.mark.parametrize("count", [0, 1, 3, MOST_FILES - 1])
def test_an_archive_is_what_python_writes(count: int) -> None:
    files = {f"{number:06}.png": str(number).encode() * (number % 5) for number in range(count)}
    assert written(files) == written_by_python(files)


@pytest.mark.parametrize("count", [MOST_FILES, MOST_FILES + 1, 100_000])
def test_more_files_than_sixteen_bits_count_are_all_there(count: int) -> None:
    files = {f"{number:06}.png": b"%d" % number for number in range(count)}
    with zipfile.ZipFile(io.BytesIO(written(files))) as archive:
        assert archive.namelist() == list(files)
        assert archive.testzip() is None
        assert archive.read(f"{count - 1:06}.png") == b"%d" % (count - 1)


class Behind(io.BytesIO):
    """A file whose first bytes are not kept."""

    def __init__(self, before: int, data: bytes) -> None:
        super().__init__(data)
        self._before = before

    def seek(self, offset: int, whence: int = 0) -> int:
        return super().seek(offset - self._before * (whence == 0), whence) + self._before

    def tell(self) -> int:
        return super().tell() + self._before


@pytest.mark.parametrize("start", [MOST - 60, MOST - 1, MOST, 3 * MOST])
def test_what_lies_beyond_four_gigabytes_is_found(start: int) -> None:
    archive = Archive(start)
    entries = [archive.entry(name, name * 9) for name in (b"one", b"two", b"three")]
    data = b"".join([*entries, archive.end()])
    with zipfile.ZipFile(Behind(start, data)) as found:
        assert found.getinfo("one").header_offset == start
        assert {name: found.read(name) for name in found.namelist()} == {
            name: name.encode() * 9 for name in ("one", "two", "three")
        }
