"""The page: all of it is there, nothing of it is loaded from elsewhere, and nothing in the data becomes markup."""

from __future__ import annotations

import hashlib
import json
import math
import re
import shutil
import subprocess
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from seq2seq_kit.errors import UserError
from seq2seq_kit.evaluation import bootstrap
from seq2seq_kit.evaluation.evaluate import Evaluation
from seq2seq_kit.evaluation.report import page
from seq2seq_kit.evaluation.report.attention import Keeper, packed
from seq2seq_kit.evaluation.report.facts import ReportedRun
from seq2seq_kit.evaluation.report.page import check_path, render, write_report
from seq2seq_kit.interfaces import Example, Metric, Output
from seq2seq_kit.metrics.chrf import ChrF, ChrFConfig
from seq2seq_kit.metrics.diversity import Distinct1, Distinct1Config
from seq2seq_kit.metrics.exact import ExactMatch, ExactMatchConfig

EVIL = "</script><script>alert('x')</script><img src=x onerror=alert(1)> & \"quoted\" 'so'"
RIGHT_TO_LEFT, CHINESE = "أهلا بالعالم كيف الحال", "你好世界，今天天气很好"
PAIRS = [
    (EVIL, EVIL, EVIL),
    ("hello world", RIGHT_TO_LEFT, "أهلا يا عالم"),
    ("hello world, fine weather", CHINESE, "你好世界，今天很好"),
    *((f"source number {i}", f"target number {i}", f"target {'number' if i % 3 else 'figure'} {i}") for i in range(14)),
    ("none", "something", ""),
]


class Elements(HTMLParser):
    """What a page is made of."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.contents: dict[str, list[str]] = {"script": [], "style": []}
        self._open = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._open = tag

    def handle_data(self, data: str) -> None:
        if self._open in self.contents:
            self.contents[self._open].append(data)
            self._open = ""
        else:
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.texts).split())

    def data(self, name: str) -> Any:
        """What the page's script reads."""
        scripts = [attributes for tag, attributes in self.tags if tag == "script"]
        [place] = [i for i, attributes in enumerate(scripts) if attributes.get("id") == name]
        return json.loads(self.contents["script"][place])


def output(text: str, source: str, score: float = -0.5) -> Output:
    tokens, columns = text.split(), [*source.split(), "</s>"]
    weights = torch.softmax(torch.arange((len(tokens) + 1) * len(columns)).float().view(-1, len(columns)) % 5, -1)
    more = [Output(f"{text} again", score - 1, tokens), Output(EVIL, score - 2, [])]
    return Output(text, score, tokens, [-0.1] * (len(tokens) + 1), columns, weights, more)


def run_of(
    pairs: Sequence[tuple[str, str, str]], name: str = "runs/one", metrics: dict[str, Metric] | None = None, **more: Any
) -> ReportedRun:
    """A run that wrote the third text of each (source, reference, output)."""
    metrics = {"chrf": ChrF(ChrFConfig()), "exact": ExactMatch(ExactMatchConfig())} if metrics is None else metrics
    examples = [Example(source, reference, [reference], i) for i, (source, reference, _) in enumerate(pairs)]
    outputs = [output(text, source) for source, _, text in pairs]
    texts, references = [o.text for o in outputs], [e.references for e in examples]
    scores = {name: metric(texts, references) for name, metric in metrics.items()} if texts else {}
    signatures = {name: metric.signature() for name, metric in metrics.items()}
    result = Evaluation(scores, signatures, examples, outputs, 1.5)
    facts, options = [("task", "translation"), ("note", EVIL)], [("beam_size", "5")]
    return ReportedRun(name, facts, options, [("task", "translation", "seq2seq-kit 0.1")], metrics, result, **more)


@pytest.fixture(scope="module")
def one() -> str:
    return render([run_of(PAIRS)], "test.tsv")


@pytest.fixture(scope="module")
def elements(one: str) -> Elements:
    return Elements(one)


def test_it_shows_what_was_evaluated_and_how_sure_the_scores_are(elements: Elements) -> None:
    text = elements.text
    for part in ("runs/one", "test.tsv", "18 with 18 references", "beam_size", "seq2seq_kit 0.1", "sacrebleu"):
        assert part in text, part
    assert re.search(r"chrf ↑ [\d.]+ [\d.]+ to [\d.]+ nrefs:1\|", text)
    assert re.search(r"exact ↑ 55\.56 [\d.]+ to [\d.]+", text)


def test_the_worst_and_the_best_come_with_their_differences_and_alternatives(elements: Elements, one: str) -> None:
    assert elements.text.index("Worst") < elements.text.index("Example 18") < elements.text.index("Best")
    assert '<mark class="only-here">figure</mark>' in one and '<mark class="only-there">number</mark>' in one
    assert "Other hypotheses (2)" in elements.text and "target figure 0 again" in elements.text
    assert sum(tag == "article" for tag, _ in elements.tags) == 18


def test_nothing_of_the_data_becomes_markup(elements: Elements) -> None:
    scripts = [attributes for tag, attributes in elements.tags if tag == "script"]
    assert [attributes.get("id") for attributes in scripts] == ["attention-data", "table-data", None]
    assert not [tag for tag, _ in elements.tags if tag == "img"]
    assert not [name for _, attributes in elements.tags for name in attributes if name.startswith("on")]
    assert " ".join(EVIL.split()) in elements.text
    assert elements.data("table-data")["rows"][0][1:4] == [EVIL, EVIL, [EVIL, 100.0, -0.5]]


def test_names_of_metrics_and_runs_are_text_too() -> None:
    metrics: dict[str, Metric] = {"<script>m</script>": ExactMatch(ExactMatchConfig())}
    found = Elements(render([run_of(PAIRS[:4], EVIL, metrics), run_of(PAIRS[:4], f"{EVIL}2", metrics)], EVIL))
    assert "<script>m</script>" in found.text
    assert len([tag for tag, _ in found.tags if tag == "script"]) == 3


def test_nothing_is_loaded_and_only_its_own_script_may_run(elements: Elements) -> None:
    for tag, attributes in elements.tags:
        assert tag not in ("link", "iframe", "object", "embed", "base"), tag
        for name in ("src", "href", "data", "action", "srcset"):
            assert (attributes.get(name) or "#").startswith("#"), (tag, attributes)
    [policy] = [a["content"] or "" for _, a in elements.tags if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none';") and "unsafe" not in policy
    for kind, content in (("style", elements.contents["style"][0]), ("script", elements.contents["script"][2])):
        digest = b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert "http:" not in elements.contents["style"][0] and "url(" not in elements.contents["style"][0]


def test_every_text_says_its_own_direction(one: str) -> None:
    for text in (RIGHT_TO_LEFT, CHINESE):
        assert re.search(f'dir="auto">[^/]*{text[:2]}', one)
    assert '<meta charset="utf-8">' in one


def test_differences_of_texts_without_spaces_are_of_characters(one: str) -> None:
    assert '<mark class="only-there">天气</mark>' in one


def test_the_attention_can_be_read_back(elements: Elements) -> None:
    drawn = elements.data("attention-data")["18/0"]
    assert drawn["source"] == ["none", "</s>"] and drawn["target"] == ["</s>"]
    weights = [int(drawn["weights"][i : i + 2], 36) / 1000 for i in range(0, len(drawn["weights"]), 2)]
    assert weights == pytest.approx(torch.softmax(torch.tensor([0.0, 1.0]), -1).tolist(), abs=1e-3)


def test_attention_of_an_encoder_that_shortens_is_over_numbered_positions() -> None:
    drawn = packed(Output("a", 0.0, ["a"], [0.0, 0.0], [], torch.full((2, 3), 1 / 3)))
    assert drawn is not None and drawn["source"] == ["1", "2", "3"]
    assert packed(Output("a", 0.0, ["a"])) is None
    assert packed(Output("", float("-inf"), attention=torch.zeros(0, 3))) is None


def test_no_more_attention_is_kept_than_is_shown() -> None:
    keep, long = Keeper(1), Output("a", 0.0, ["a"] * 300, [], ["b"] * 200, torch.rand(301, 200))
    long.alternatives = [replace(long)]
    first, second = keep(long), keep(long)
    assert first.attention is not None and first.attention.shape == (100, 100)
    assert first.alternatives[0].attention is None and second.attention is None
    drawn = packed(first)
    assert drawn is not None and drawn["cut"] and len(drawn["target"]) == 100


def test_two_runs_are_compared_by_the_same_resamples() -> None:
    better = [(s, r, r if i % 2 else o) for i, (s, r, o) in enumerate(PAIRS)]
    found = Elements(render([run_of(PAIRS), run_of(better, "runs/two")], "test.tsv"))
    assert "runs/two is better than runs/one" in found.text
    assert "runs/two is worse than runs/one" not in found.text
    assert re.search(
        r"exact ↑ 55\.56 [\d.]+ to [\d.]+ 83\.33 [\d.]+ to [\d.]+ \+27\.78 [\d.]+ to [\d.]+ 0\.\d{3}", found.text
    )
    for name in ("bleu", "chrf", "ter"):
        assert f"{name} ↑" in found.text or f"{name} ↓" in found.text
    assert found.data("table-data")["runs"] == ["runs/one", "runs/two"]


def test_of_equal_ones_the_other_metrics_say_which_is_worse() -> None:
    pairs = [("a", "one two three", "one two four"), ("b", "one two three", "six"), ("c", "yes", "yes")]
    metrics: dict[str, Metric] = {"exact": ExactMatch(ExactMatchConfig()), "chrf": ChrF(ChrFConfig())}
    text = Elements(render([run_of(pairs, metrics=metrics)], "test.tsv")).text
    assert text.index("Example 2") < text.index("Example 1") < text.index("Example 3")


def test_fewer_resamples_than_usual_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow(ExactMatch):
        def statistics(self, *_: Any) -> None:  # type: ignore[override]
            return None

        def __call__(self, outputs: Sequence[str], references: Sequence[Sequence[str]]) -> float:
            return float(sum(output in own for output, own in zip(outputs, references, strict=True)))

    monkeypatch.setattr(bootstrap, "PATIENCE", 1e-9)
    monkeypatch.setattr(bootstrap, "FEWEST", 0)
    text = Elements(render([run_of(PAIRS, metrics={"slow": Slow(ExactMatchConfig())})], "test.tsv")).text
    assert re.search(r"slow ↑ 10\.00 [\d.]+ to [\d.]+ \(1 resamples\)", text)


def test_a_metric_that_cannot_be_resampled_says_so_and_perplexity_can() -> None:
    sums = np.array([(-3.0 - i, 4) for i in range(len(PAIRS))])
    run = run_of(PAIRS, metrics={"distinct1": Distinct1(Distinct1Config())}, log_probs=sums)
    found = Elements(render([run], "test.tsv"))
    assert re.search(r"distinct1 ↑ [\d.]+ none", found.text)
    value = math.exp(-sums[:, 0].sum() / sums[:, 1].sum())
    assert re.search(rf"perplexity ↓ {value:,.2f} [\d,.]+ to [\d,.]+ of a token", found.text)


@pytest.mark.parametrize(("pairs", "metrics"), [([], None), (PAIRS, {}), (PAIRS[:1], None)])
def test_there_is_a_page_of_little(pairs: Any, metrics: Any) -> None:
    found = Elements(render([run_of(pairs, metrics=metrics)], "test.tsv"))
    assert ("There are no examples." in found.text) == (not pairs)
    assert ("There are no scores." in found.text) == (metrics == {})
    assert sum(tag == "article" for tag, _ in found.tags) == len(pairs)


def test_scores_that_are_no_numbers_do_no_harm() -> None:
    run = run_of(PAIRS[:5])
    run.result.outputs[0].score = float("-inf")
    assert Elements(render([run], "test.tsv")).data("table-data")["rows"][0][3][2] is None


def test_ten_thousand_long_examples_make_a_page_of_a_few_megabytes() -> None:
    pairs = [(f"{i} {'source ' * 5}{'-' * 600}", f"{i} {'-' * 400}", f"text {i} {'-' * 200}") for i in range(10_050)]
    exact: dict[str, Metric] = {"exact": ExactMatch(ExactMatchConfig())}
    text = render([run_of(pairs, metrics=exact)], "test.tsv")
    assert len(text.encode()) < 6_000_000
    table = Elements(text).data("table-data")
    assert len(table["rows"]) == 10_000 and table["longest"] < 400
    assert "The first 10,000 of 10,050." in text and f"after {table['longest']} characters" in text


def test_a_file_that_cannot_be_written_is_refused_before(tmp_path: Path) -> None:
    check_path(tmp_path / "new.html", [])
    assert not list(tmp_path.iterdir())
    (tmp_path / "folder.html").mkdir()
    data = tmp_path / "data.html"
    data.touch()
    for path, message in (
        (tmp_path / "page.tsv", r"ends in \.html"),
        (tmp_path / "folder.html", "it is not a file"),
        (tmp_path / "none" / "page.html", "No such file or directory"),
        (data, "one of the data files"),
    ):
        with pytest.raises(UserError, match=message):
            check_path(path, [str(data)])


def test_a_page_that_fails_leaves_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "page.html"
    write_report(path, [run_of(PAIRS[:3])], "test.tsv")
    before = path.read_bytes()
    monkeypatch.setattr(page, "render", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_report(path, [run_of(PAIRS[:3])], "test.tsv")
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
def test_a_browser_draws_it_without_a_complaint(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    write_report(path, [run_of(PAIRS)], "test.tsv")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
    flags += ["--disable-background-networking", "--disable-component-update", "--enable-logging=stderr"]
    flags += [f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=2000", "--dump-dom"]
    command = [str(CHROMIUM), *flags, f"{path.as_uri()}#example-18"]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "Refused to" not in done.stderr and "Uncaught" not in done.stderr, done.stderr
    found = Elements(done.stdout)
    titles = [attributes.get("title") for tag, attributes in found.tags if tag == "td" and "title" in attributes]
    assert "none → </s>: 26.9%" in titles and "</s> → </s>: 73.1%" in titles
    [cell] = [a for tag, a in found.tags if tag == "td" and a.get("title") == "none → </s>: 26.9%"]
    assert cell["tabindex"] == "0" and "rgba(var(--weight)" in (cell["style"] or "")
    assert "1 to 18 of 18" in found.text
    assert "<script>alert" not in re.sub(
        r'<script type="application/json".*?</script>', "", done.stdout, flags=re.DOTALL
    )
