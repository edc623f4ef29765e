"""A run folder in which every text that a stranger can write is hostile, and how to look for what came of it."""

import csv
import json
import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pandas as pd
from pydantic import BaseModel, ValidationError

from medqa_core.foundation.files import write_json
from medqa_core.runs.artifacts.predictions import SCHEMA, write_predictions
from medqa_core.runs.schema.evaluation import Evaluation
from medqa_core.runs.schema.record import RunRecord
from medqa_core.runs.schema.status import Status

PAYLOAD = (
    "<img src=x onerror=evil(1)><script>evil(2)</script><svg/onload=evil(3)> ![i](http://evil.test/i.png) "
    "[a](javascript:evil(4)) <a href='javascript:evil(5)'>k</a> :red[boo] :smile: $\\alpha$ $$x$$ `tick` **bold** "
    "www.evil.test https://evil.test evil@evil.test \" onmouseover=evil(6) ' %{evil} {{7*7}} |cell| &lt;b&gt; <!-- --> "
    "\u202ertl\u2066iso\x1b[31mred\x9b31m\x07\x00"
)
SHORT = "<img src=x onerror=evil(7)> [a](javascript:evil(8)) $x$ \u202e\x1b[31m"
UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def poison(value: Any, valid: Callable[[Any], bool], keep: tuple[str, ...] = ()) -> Any:
    """`value` with the payload in place of each text, and as each key, that may stand there."""
    current = json.loads(json.dumps(value))
    for path in list(_leaves(current)):
        if path[-1] in keep:
            continue
        for payload in (PAYLOAD, SHORT):
            tried = json.loads(json.dumps(current))
            _place(tried, path, payload)
            if valid(tried):
                current = tried
                break
    return current


def validates(model: type[BaseModel]) -> Callable[[Any], bool]:
    def check(value: Any) -> bool:
        try:
            model.model_validate(value)
        except ValidationError:
            return False
        return True

    return check


def poison_run(folder: Path) -> None:
    """Every file of the run, through the eyes of its own reader."""
    for name, model in (("run.json", RunRecord), ("status.json", Status), ("evaluation.json", Evaluation)):
        path = folder / name
        if path.exists():
            value = json.loads(path.read_text(encoding="utf-8"))
            if name == "evaluation.json":
                for sliced in ("by_question_type", "by_source"):
                    metrics = next(iter((value.get("by_question_type") or {"x": {}}).values()))
                    value[sliced] = {PAYLOAD: metrics, SHORT: metrics}
                value["protocol"]["notes"] = {PAYLOAD: PAYLOAD}
            if name == "run.json":
                value.setdefault("environment", {})["packages"] = {PAYLOAD: PAYLOAD}
                if value.get("imported"):
                    value["imported"]["figures"][PAYLOAD] = PAYLOAD
                    value["imported"]["sections"][PAYLOAD] = [PAYLOAD]
            # What decides how the run is read stays: as a text it would only be refused.
            write_json(path, poison(value, validates(model), keep=("id", "kind", "state", "primary_metric", "dataset")))
    if (folder / "predictions.parquet").exists():
        frame = pd.read_parquet(folder / "predictions.parquet")
        for column in ("question_id", "group_id", "question_type", "source", "base_answer", "fine_tuned_answer"):
            frame[column] = [
                f"{PAYLOAD} {n % 3 if column in ('question_type', 'source') else n}" for n in range(len(frame))
            ]
        write_predictions(folder, frame.reindex(columns=SCHEMA.names))
    with open(folder / "trials.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([[PAYLOAD, SHORT], [PAYLOAD, SHORT]])
    (folder / "train.log").write_text(f"{PAYLOAD}\n{SHORT}\n" * 3, encoding="utf-8")
    (folder / "<img src=x onerror=evil(9)>.txt").write_text(PAYLOAD)
    (folder / "..\\..\\evil.txt").write_text(PAYLOAD)


def _leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, str):
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from _leaves(inner, (*path, key))


def _place(value: Any, path: tuple[Any, ...], text: str) -> None:
    for key in path[:-1]:
        value = value[key]
    value[path[-1]] = text


class Found(HTMLParser):
    """The tags and attributes that a browser would see."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


HARMLESS_TAGS = {
    *("html", "head", "title", "style", "meta", "body", "header", "main", "footer", "section", "article", "h1", "h2"),
    *(
        "h3",
        "h4",
        "p",
        "div",
        "span",
        "wbr",
        "a",
        "b",
        "i",
        "em",
        "strong",
        "small",
        "code",
        "pre",
        "mark",
        "ins",
        "del",
        "br",
    ),
    *("ul", "ol", "li", "dl", "dt", "dd", "details", "summary", "figure", "figcaption", "table", "caption", "thead"),
    *("tbody", "tfoot", "tr", "th", "td", "hr", "svg", "g", "path", "line", "rect", "circle", "polyline", "polygon"),
    *("text", "defs", "desc"),
}


def harmful_html(html: str) -> list[str]:
    """What of the markup could run, load or lead astray; nothing where all of it is our own."""
    bad = []
    for tag, attributes in Found(html).tags:
        if tag not in HARMLESS_TAGS:
            bad.append(f"<{tag}>")
        for name, value in attributes.items():
            link = name in ("href", "src", "srcset", "action", "formaction", "xlink:href", "data", "poster")
            if name.startswith("on") or (link and (tag != "a" or leads_out(value or ""))):
                bad.append(f"{tag} {name}={value}")
    return bad


def leads_out(address: str) -> bool:
    """Whether a link runs code or leads to a host that a payload names."""
    parts = urlsplit("".join(c for c in address if c > " "))
    return parts.scheme not in ("", "http", "https") or "evil" in parts.netloc


_LIVE = re.compile(
    r"(?<!\\)(?:\\\\)*(?:<[a-zA-Z/!]|!?\[[^\]]*(?<!\\)\]\(|\$[^$]*\$|`|\*\*|:[a-z]+\[|:[a-z]+:|https?://evil|www\.evil)"
)


def harmful_markdown(text: str) -> list[str]:
    """What of the text Streamlit's Markdown would read as markup, near a payload."""
    return [found[0] for found in _LIVE.finditer(text)] if "evil" in text else []


def harmful_label(text: str) -> list[str]:
    """The same for Plotly, which reads a few HTML tags in its labels."""
    return re.findall(r"<(?!br>|extra>|/extra>|b>|/b>)[a-zA-Z/!][^>]*>?", text) if "evil" in text else []
