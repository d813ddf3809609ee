"""The rules of the explorer's files, each a function from their texts by name to their faults."""

import re
from collections.abc import Callable, Iterator, Mapping

MAX_FILE_LINES = 300
MAX_STYLE_LINES = 700
MAX_BYTES = 100_000
SECTIONS = re.compile(r"^const SECTIONS = \[(.*?)\];", re.MULTILINE | re.DOTALL)
IMPORT = re.compile(r'^import .*? from "\./(\w+)\.js";', re.MULTILINE | re.DOTALL)
# Ways to run a text as markup or as code.
TEXT_THAT_RUNS = ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(")
NAMESPACE = 'xmlns="http://www.w3.org/2000/svg"'

Files = Mapping[str, str]


def too_long(files: Files) -> Iterator[str]:
    """Files beyond what one can read at a sitting; a style sheet is read in pieces."""
    for name, text in files.items():
        most = MAX_STYLE_LINES if name.endswith(".css") else MAX_FILE_LINES
        if (lines := len(text.splitlines())) > most:
            yield f"{name} has {lines} lines; at most {most}"


def too_large(files: Files) -> Iterator[str]:
    """Pages that take long to arrive."""
    if (size := sum(len(text.encode()) for text in files.values())) > MAX_BYTES:
        yield f"the page has {size} bytes; at most {MAX_BYTES}"


def names_another_host(files: Files) -> Iterator[str]:
    """Whoever opens the page tells nobody else of it, and it works where there is no internet."""
    for name, text in files.items():
        if "://" in text.replace(NAMESPACE, ""):
            yield f"{name} names another host"


def runs_text(files: Files) -> Iterator[str]:
    """Words of a view that someone sent must stay words."""
    for name, text in files.items():
        for way in TEXT_THAT_RUNS:
            if way in text:
                yield f"{name} uses {way}"


def has_code_in_markup(files: Files) -> Iterator[str]:
    """What the page's own policy forbids."""
    for name, text in files.items():
        if name.endswith(".html") and re.search(r"<style|\bstyle=|\bon\w+=|<script>", text):
            yield f"{name} has code or style in its markup"


def sections_that_know_each_other(files: Files) -> Iterator[str]:
    """What one section does and another shows stands in the state."""
    listed = SECTIONS.search(files.get("main.js", ""))
    sections = set(re.findall(r"\w+", listed[1])) if listed else set()
    for name in sections:
        for known in IMPORT.findall(files.get(f"{name}.js", "")):
            if known in sections:
                yield f"{name}.js imports {known}.js, another section"


PAGE_RULES: list[Callable[[Files], Iterator[str]]] = [
    too_long,
    too_large,
    names_another_host,
    runs_text,
    has_code_in_markup,
    sections_that_know_each_other,
]
