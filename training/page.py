"""One HTML file that needs nothing else: its style and its pictures lie within it, and no script.

Pure functions from text to HTML, all of it escaped here. Knows nothing of training.
"""

import base64
from collections.abc import Iterable, Sequence
from html import escape
from typing import NamedTuple

# Charts are drawn dark on nothing; in the dark they are turned round, and their hues back again.
STYLE = """
:root { color-scheme: light dark; --ink: #1b1b1b; --soft: #5f6368; --line: #dcdcdc;
  --paper: #fff; --raised: #f6f6f6; --warn: #8a4500; --warned: #fff4e5; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8e8e8; --soft: #a0a4a8; --line: #3a3a3a; --paper: #161616; --raised: #212121;
    --warn: #ffb868; --warned: #33240f; }
  img.chart { filter: invert(1) hue-rotate(180deg); }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 60rem; background: var(--paper);
  color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
h1 { margin: 0; font-size: 1.9rem; line-height: 1.2; }
h2 { margin: 2.5rem 0 .75rem; padding-bottom: .3rem; border-bottom: 1px solid var(--line);
  font-size: 1.15rem; }
p { margin: .5rem 0; }
p.soft, figcaption, dt, th { color: var(--soft); }
p.warning { margin: 1.25rem 0; padding: .75rem 1rem; border-left: 4px solid var(--warn);
  background: var(--warned); }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: .75rem;
  margin: 1.5rem 0; }
dl div { padding: .7rem .9rem; border-radius: .4rem; background: var(--raised); }
dt { font-size: .85rem; }
dd { margin: 0; font-size: 1.4rem; font-variant-numeric: tabular-nums; }
dd small { color: var(--soft); font-size: .8rem; white-space: nowrap; }
.pictures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr));
  gap: 1.25rem; align-items: start; }
figure { margin: 0; break-inside: avoid; }
img { display: block; width: 100%; height: auto; }
img.pixels { image-rendering: pixelated; }
figcaption { margin-top: .35rem; font-size: .85rem; }
pre { margin: .5rem 0; padding: .75rem 1rem; border-radius: .4rem; background: var(--raised);
  font-size: .9rem; white-space: pre-wrap; overflow-wrap: anywhere; }
.table { overflow-x: auto; }
.long { columns: 20rem; column-gap: 2.5rem; }
table { width: 100%; border-collapse: separate; border-spacing: 0; font-size: .92rem; }
th, td { padding: .35rem .75rem .35rem 0; border-bottom: 1px solid var(--line); text-align: left;
  vertical-align: top; }
th { font-weight: 500; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
.facts td, .long td { overflow-wrap: anywhere; }
@media (max-width: 30rem) { table { font-size: .8rem; } }
@media print {
  body { max-width: none; padding: 0; font-size: 11pt; }
  .table { overflow: visible; }
  .pictures { grid-template-columns: 1fr 1fr; }
  h2 { break-after: avoid; }
  tr, pre, dl { break-inside: avoid; }
}
"""


class Picture(NamedTuple):
    """A PNG of pixels or an SVG of a chart."""

    content: bytes
    alt: str
    """What it shows, for who does not see it."""
    caption: str


def page(title: str, parts: Iterable[str]) -> str:
    """The whole file, of parts made by the functions below."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{escape(title)}</h1>\n" + "\n".join(parts) + "\n</body>\n</html>\n"
    )


def heading(text: str) -> str:
    """Of a section."""
    return f"<h2>{escape(text)}</h2>"


def paragraph(text: str, kind: str = "") -> str:
    """Plain text; its kind is none, `soft` or `warning`."""
    return f'<p class="{kind}">{escape(text)}</p>' if kind else f"<p>{escape(text)}</p>"


def command(text: str) -> str:
    """What one can copy into a shell."""
    return f"<pre><code>{escape(text)}</code></pre>"


def tiles(values: Iterable[tuple[str, str, str]]) -> str:
    """Name, value and unit of what one looks for first."""
    found = [
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)} <small>{escape(unit)}</small></dd></div>"
        for name, value, unit in values
    ]
    return f"<dl>{''.join(found)}</dl>"


def table(head: Sequence[str], rows: Iterable[Sequence[str | float]]) -> str:
    """Rows as long as the head; numbers are set to four digits, flush right."""
    top = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    body = "".join(f"<tr>{''.join(_cell(value) for value in row)}</tr>\n" for row in rows)
    return (
        f'<div class="table"><table><thead><tr>{top}</tr></thead>\n<tbody>{body}</tbody>'
        "</table></div>"
    )


def facts(rows: Iterable[tuple[str, str]], kind: str = "facts") -> str:
    """Names with what they are; of kind `long` in several columns where there is room."""
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th>{_cell(value)}</tr>\n' for name, value in rows
    )
    return f'<div class="{kind}"><table><tbody>{body}</tbody></table></div>'


def _cell(value: str | float) -> str:
    if isinstance(value, str):
        return f"<td>{escape(value)}</td>"
    return f'<td class="number">{value:.4g}</td>'


def pictures(shown: Iterable[Picture]) -> str:
    """Side by side where there is room."""
    return f'<div class="pictures">{"".join(_picture(picture) for picture in shown)}</div>'


def _picture(picture: Picture) -> str:
    png = picture.content.startswith(b"\x89PNG")
    kind, media = ("pixels", "image/png") if png else ("chart", "image/svg+xml")
    data = base64.b64encode(picture.content).decode("ascii")
    return (
        f'<figure><img class="{kind}" alt="{escape(picture.alt)}" '
        f'src="data:{media};base64,{data}"><figcaption>{escape(picture.caption)}</figcaption>'
        "</figure>\n"
    )
