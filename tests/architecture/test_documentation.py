"""What the code has, the documentation has: settings, metrics, endpoints, problems; no more.

Each comparison is a function from two sets to a complaint, so that a planted gap can be shown to
be found.
"""

import re
from pathlib import Path

import pytest
from fastapi.openapi.utils import get_openapi

from app.answer_headers import EXPOSED
from app.error_responses import INVALID, PROBLEMS, problem_type
from app.formats import FORMATS
from app.main import create_app
from app.metrics import Metrics
from app.settings import PREFIX, STORE_VARIABLES, Settings
from tests.architecture.sources import ROOT

DOCS = ROOT / "docs"


def gaps(in_code: set[str], in_docs: set[str]) -> list[str]:
    """What is only on one side."""
    missing = [f"{name} is not documented" for name in sorted(in_code - in_docs)]
    stale = [f"{name} is documented but gone" for name in sorted(in_docs - in_code)]
    return missing + stale


def rows(page: str, pattern: str) -> dict[str, str]:
    """The rows of a page's tables whose first cell is a `code` of `pattern`, by that code."""
    found = re.findall(rf"^\| `({pattern})` \|(.*)\|$", (DOCS / page).read_text(), re.MULTILINE)
    return dict(found)


def test_a_gap_on_either_side_is_found() -> None:
    assert gaps({"a", "b"}, {"b", "c"}) == ["a is not documented", "c is documented but gone"]


def test_every_setting_is_documented_with_its_default() -> None:
    table = rows("settings.md", r"LATENTD_\w+")
    in_code = {PREFIX + name.upper() for name in Settings.model_fields}
    assert not gaps(in_code, table.keys() - STORE_VARIABLES)
    for name, field in Settings.model_fields.items():
        default = field.default
        shown = ",".join(default) if isinstance(default, tuple) else default
        cell = table[PREFIX + name.upper()].split("|")[0].strip()
        assert cell == (f"`{shown}`" if shown not in ("", None) else "–"), name


def test_every_metric_is_documented_with_its_labels() -> None:
    table = rows("metrics.md", r"latentd_\w+")
    metrics = {
        metric.name + ("_total" if metric.type == "counter" else ""): metric
        for metric in Metrics().registry.collect()
    }
    assert not gaps(set(metrics), set(table))


def test_every_endpoint_is_documented() -> None:
    app = create_app(Settings())
    paths = get_openapi(title="", version="", routes=app.routes)["paths"]
    in_code = {
        f"{method.upper()} {path}"
        for path, operations in paths.items()
        for method in operations
        if not path.startswith("/models/{model}/")
    }
    assert not gaps(in_code, set(rows("http.md", r"(?:GET|POST) /\S*")))


def test_every_format_is_documented_with_its_media_type() -> None:
    table = rows("http.md", r"[a-z-]+")
    assert not gaps(set(FORMATS), set(table))
    for name, form in FORMATS.items():
        assert table[name].split("|")[0].strip() == f"`{form.media_type}`", name


def test_every_problem_is_documented() -> None:
    in_code = {problem_type(problem) for problem in (*PROBLEMS.values(), INVALID)}
    assert not gaps(in_code, set(rows("http.md", r"urn:latentd:problem:[a-z-]+")))


def test_every_header_that_other_origins_may_read_is_documented() -> None:
    page = (DOCS / "frontend.md").read_text()
    listed = page.partition("- Pages may read the headers ")[2].partition(".\n")[0]
    assert not gaps(set(EXPOSED), set(re.findall("`(.+?)`", listed)))


@pytest.mark.parametrize("page", [*sorted(DOCS.glob("*.md")), ROOT / "README.md"], ids=str)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
