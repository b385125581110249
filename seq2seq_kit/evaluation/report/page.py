"""Writes the page."""

from __future__ import annotations

import hashlib
import json
import os
from base64 import b64encode
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from seq2seq_kit import __version__
from seq2seq_kit.errors import UserError
from seq2seq_kit.evaluation.bootstrap import SAMPLES
from seq2seq_kit.evaluation.report.attention import LONGEST as MOST_TOKENS
from seq2seq_kit.evaluation.report.examples import TABLE_ROWS, Gallery, table
from seq2seq_kit.evaluation.report.facts import ReportedRun, common_facts
from seq2seq_kit.evaluation.report.histogram import Histogram, histogram
from seq2seq_kit.evaluation.report.scores import score_rows, sentence_scores
from seq2seq_kit.sealed import write_atomically

_FOLDER = Path(__file__).parent


def check_path(path: Path, data: Sequence[str]) -> None:
    """Refuse a file that a page cannot be written to, before anything is done for it.

    Args:
        data: files that must not be lost.

    Raises:
        UserError: it has not the name of a page, is one of ``data``, or its folder cannot be written.
    """
    if path.suffix.lower() not in (".html", ".htm"):
        raise UserError(f"--report {path}: is a web page: give it a name that ends in .html")
    if path.exists() and not path.is_file():
        raise UserError(f"--report {path}: cannot be written: it is not a file")
    if path.resolve() in [Path(name).resolve() for name in data]:
        raise UserError(f"--report {path}: is one of the data files, which would be lost: give another name")
    beside = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        beside.touch()
    except OSError as error:
        raise UserError(f"--report {path}: cannot be written: {error.strerror}") from None
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)


def write_report(path: Path, runs: Sequence[ReportedRun], data: str) -> None:
    """Write the page of one evaluated run, or of several that are compared with the first.

    Args:
        data: what was evaluated on, as the page names it.

    Raises:
        UserError: the file cannot be written; one that was there before is unchanged.
    """
    write_atomically(path, render(runs, data).encode("utf-8", "replace"))


def render(runs: Sequence[ReportedRun], data: str) -> str:
    """The page's HTML. All that comes from data, runs and plugins is escaped."""
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = _number
    environment.filters["json"] = _json
    name, sentence = sentence_scores(runs)
    gallery = Gallery(runs, sentence, name)
    style, script = ((_FOLDER / file).read_text(encoding="utf-8") for file in ("style.css", "script.js"))
    return environment.get_template("page.html").render(
        version=__version__,
        title=" and ".join(run.name for run in runs),
        policy=f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; base-uri 'none'; "
        "form-action 'none'",
        style=Markup(style),
        script=Markup(script),
        runs=runs,
        facts=common_facts(data, runs),
        rows=score_rows(runs),
        samples=SAMPLES,
        histograms=_histograms(runs, sentence, name),
        metric=name,
        groups=gallery.groups,
        attentions=gallery.attentions,
        most_tokens=MOST_TOKENS,
        table=table(runs, sentence, name),
        table_rows=TABLE_ROWS,
        examples=len(runs[0].texts),
    )


def _histograms(runs: Sequence[ReportedRun], sentence: Sequence[Sequence[float]], metric: str) -> list[Histogram]:
    """Of lengths, of the main metric, and of the scores that the search ranks by."""
    first = [accepted[0] for accepted in runs[0].references if accepted]
    spaced = sum(len(text.split()) > 1 for text in first) * 2 >= len(first)
    unit = "words" if spaced else "characters"

    def lengths(texts: Sequence[str]) -> list[float]:
        return [float(len(text.split()) if spaced else len(text)) for text in texts]

    drawn = [
        histogram(f"Length in {unit}", {run.name: lengths(run.texts) for run in runs} | {"references": lengths(first)}),
        histogram(f"{metric} of single outputs", {run.name: own for run, own in zip(runs, sentence, strict=True)}),
        histogram("Score of the search", {run.name: [o.score for o in run.result.outputs] for run in runs}),
    ]
    return [found for found in drawn if found is not None]


def _number(value: float | None, digits: int = 2) -> str:
    return "" if value is None else f"{value:,.{digits}f}".replace("-", "−")


def _json(value: Any) -> Markup:
    """JSON that can stand in a script element: nothing in it ends the element or begins a tag."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def _hash(text: str) -> str:
    """How a content security policy names the one script, or style, that it allows."""
    return f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
