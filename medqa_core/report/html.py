"""The write-up as one HTML file that needs nothing else: no script, no network, printable, light and dark."""

from html import escape as _html

from medqa_core.foundation.format import NOT_STATED
from medqa_core.report.blocks import FIELDS, Block, Section, Table
from medqa_core.report.charts.forest_svg import forest_svg
from medqa_core.report.charts.loss_svg import loss_svg
from medqa_core.report.charts.loss_words import describe
from medqa_core.report.facts import Facts
from medqa_core.report.headline import NOTE, Headline, four, limits_line
from medqa_core.report.insights import Insight, insights
from medqa_core.report.markdown import COMMAND
from medqa_core.report.style import CSS
from medqa_core.report.verdict import figures_line, sentence
from medqa_core.report.writeup import sections, title
from medqa_core.runs.run import Run

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def render(run: Run | Facts) -> str:
    """The whole write-up."""
    facts = Facts.of(run)
    name = escape(title(facts), commands=False)
    parts = [
        f"<header><h1>{name}</h1>",
        f'<p class="verdict">{escape(sentence(facts).removesuffix(figures_line(facts)).strip())}</p>',
        f'<p class="muted">{escape(figures_line(facts))}</p></header>' if figures_line(facts) else "</header>",
        f'<dl class="four">{"".join(_headline(h) for h in four(facts))}</dl>',
        _curve(facts),
        forest_svg(facts),
        _insights(insights(facts)[:3]),
        f'<p class="muted">{escape(limits_line(facts))}</p>',
        *(_section(section) for section in sections(facts)),
    ]
    body = "\n".join(part for part in parts if part)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{name}</title>\n<style>\n{CSS}\n</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n<footer>{NOTE}</footer>\n</body>\n</html>\n"
    )


def escape(text: str, *, commands: bool = True) -> str:
    """Text that shows as it is; what we put in backticks as code."""
    if not commands:
        return _html(text)
    pieces, at = [], 0
    for found in COMMAND.finditer(text):
        pieces += [_html(text[at : found.start()]), f"<code>{_html(found.group(0).strip('`'))}</code>"]
        at = found.end()
    return "".join([*pieces, _html(text[at:])])


def _headline(headline: Headline) -> str:
    values = f'<span class="tuned">● {escape(headline.fine_tuned)}</span>'
    if headline.fine_tuned == NOT_STATED:
        values = f'<span class="muted">{NOT_STATED}</span>'
    if headline.base != NOT_STATED:
        values = f'<span class="base">○ {escape(headline.base)}</span> → {values}'
    lines = [f'<dd class="values">{values}</dd>']
    if headline.change:
        lines.append(f"<dd>{escape(headline.change)}</dd>")
    if headline.verdict:
        lines.append(f"<dd>{_mark(headline.verdict)}</dd>")
    else:
        said = "reported by the source, not compared" if headline.origin == "reported" else "not compared"
        lines.append(f'<dd class="muted">{said}</dd>')
    return f"<div><dt>{escape(headline.label)}</dt>{''.join(lines)}</div>"


def _curve(facts: Facts) -> str:
    drawn = loss_svg(facts.metrics_log)
    if not drawn:
        return '<p class="muted">This run has no loss curve.</p>'
    caption = describe(facts.metrics_log)
    return f"<figure>{drawn}<figcaption>{escape(caption)}</figcaption></figure>"


def _insights(found: list[Insight]) -> str:
    items = (
        f'<li>{escape(i.sentence)} <span class="muted">Evidence: {escape("; ".join(i.evidence))}.</span></li>'
        for i in found
    )
    return f"<ul>{''.join(items)}</ul>" if found else ""


def _section(section: Section) -> str:
    return f"<section>\n<h2>{escape(section.title)}</h2>\n{''.join(_block(b) for b in section.blocks)}\n</section>"


def _block(block: Block) -> str:
    if isinstance(block, str):
        return f"<p>{escape(block)}</p>"
    if isinstance(block, list):
        return f"<ul>{''.join(f'<li>{escape(item)}</li>' for item in block)}</ul>"
    return _table(block)


def _table(table: Table) -> str:
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in table.header)
    rows = "".join(f"<tr>{_row(row)}</tr>" for row in table.rows)
    kind = ' class="fields"' if table.header == FIELDS else ""
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(table.header[0], commands=False)}">'
        f"<table{kind}><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _row(cells: tuple[str, ...]) -> str:
    first = f'<th scope="row">{escape(cells[0])}</th>'
    return first + "".join(f"<td>{_mark(cell)}</td>" for cell in cells[1:])


def _mark(text: str) -> str:
    """A verdict in its colour, beside its sign and word; other text as it is."""
    kind = {"▲": "better", "▼": "worse"}.get(text[:1], "")
    return f'<span class="{kind}">{escape(text)}</span>' if kind else escape(text)
