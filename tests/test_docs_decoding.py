"""``docs/decoding.md``: its code runs and prints what stands there, its table of semantics is what the engine does."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from support.cli import s2s
from torch import Tensor

from seq2seq_kit.decoding.hypothesis import Hypothesis
from seq2seq_kit.decoding.inputs import SentenceInput
from seq2seq_kit.decoding.options import SearchOptions, Semantics
from seq2seq_kit.decoding.presets import preset
from seq2seq_kit.decoding.search import check_options, search
from seq2seq_kit.errors import SearchError
from seq2seq_kit.interfaces import DecoderState

DOCS = Path(__file__).parents[1] / "docs"
PAGE = (DOCS / "decoding.md").read_text(encoding="utf-8")
SEMANTICS = get_args(Semantics)
EOS, VOCAB = 2, 9


def table() -> dict[str, dict[str, str]]:
    """Row -> semantics -> cell."""
    block = re.search(r"^\| \| kit .*?\n\n", PAGE, re.MULTILINE | re.DOTALL)
    assert block is not None
    head, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in block[0].strip().splitlines())
    assert tuple(head[1:]) == SEMANTICS
    return {name: dict(zip(SEMANTICS, cells, strict=True)) for name, *cells in rows}


def step(tokens: Tensor, position: Tensor, state: DecoderState) -> Tensor:
    """A bigram model, [B, K] -> logits [B, K, V]."""
    return torch.randn(VOCAB, VOCAB, generator=torch.Generator().manual_seed(1))[tokens]


def best(semantics: str, prefix: tuple[int, ...] = (), **options: Any) -> Hypothesis:
    given = SearchOptions(semantics=semantics, **options)  # type: ignore[arg-type]
    return search(step, options=given, sentences=[SentenceInput(prefix=prefix)])[0][0]


def test_code_runs_and_prints_what_stands_there(
    tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "first").symlink_to(tiny_run)
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```\n", PAGE, re.DOTALL)
    assert len(blocks) == PAGE.count("```python") > 10
    names: dict[str, Any] = {}
    for code, printed in blocks:
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile(code, "docs/decoding.md", "exec"), names)
        assert out.getvalue() == printed, code


def test_commands_have_the_flags_that_are_shown() -> None:
    for commands in re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL):
        for command in commands.splitlines():
            verb = command.split()[1]
            shown = set(re.findall(r"--[\w-]+", command))
            assert shown <= set(re.findall(r"--[\w-]+", s2s(verb, "--help").stdout)), command


def test_what_is_cited_is_listed() -> None:
    citation = r"[A-Z][\w ]+ (?:et al\.|and [A-Z]\w+) \d{4}"
    text, _, listed = PAGE.partition("## References")
    cited = set(re.findall(citation, re.sub(r"\s+", " ", text)))
    listed_before = (DOCS / "search-options.md").read_text(encoding="utf-8").partition("## References")[2]
    own, other = (set(re.findall(rf"^- ({citation})", part, re.MULTILINE)) for part in (listed, listed_before))
    assert own <= cited <= own | other, cited ^ own


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for file, anchor in re.findall(r"\]\(([\w./-]*)(?:#([\w-]+))?\)", page.read_text(encoding="utf-8")):
        target = page.parent / file if file else page
        assert target.exists(), file
        if anchor:
            headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            slugs = [re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings]
            assert anchor in slugs, f"{file}#{anchor}"


@pytest.mark.parametrize("semantics", SEMANTICS)
def test_the_table_says_what_the_engine_does(semantics: str) -> None:
    said = {row: cells[semantics] for row, cells in table().items()}

    endless = best(semantics, max_length=4, min_length=4)  # EOS is barred until the limit
    counts = len(endless.tokens) == 4
    assert counts == (said["the limit counts EOS"] == "yes")
    assert counts == (said["at the limit"] == "ends as it is") == (endless.tokens[-1] != EOS)
    assert endless.finish == "length"

    ended = best(semantics, prefix=(5, 6), length_penalty=1.0)
    lengths = {"n": len(ended.tokens), "n without prefix": len(ended.tokens) - 2, "n + 1 (BOS)": len(ended.tokens) + 1}
    assert round(ended.log_prob / ended.score, 3) == lengths[said["n of the score"]]
    is_given = ended.token_log_probs[:2] == [0, 0]
    assert ended.tokens[:2] == [5, 6] and is_given == (said["a forced prefix is"] == "given")

    forced = best(semantics, forced_first=6)
    assert (forced.token_log_probs[0] == 0) == (said["forced tokens score"] == "0")

    for beam_size, cell in ((1, "greedy, samples: yes; beams: no"), (4, "yes")):
        seen = best(semantics, beam_size=beam_size, suppress=(5, 6), top_tokens=VOCAB).top_tokens[0]
        total = sum(torch.tensor([log_prob for _, log_prob in seen]).exp().tolist())
        assert (abs(total - 1) < 1e-4) == (said["barring renormalises"] in (cell, "yes"))

    once = best(semantics, bos_id=4, no_repeat_ngram=1, forced_first=5, min_length=7, max_length=8)
    assert (4 not in once.tokens) == (said["BOS counts as repeated"] == "yes")

    options = preset(semantics)
    assert said["α, β of the preset"] == f"{options.length_penalty:g}, {options.length_penalty_offset:g}"


def test_the_table_names_the_stop_rules_that_the_engine_knows() -> None:
    for semantics, cell in table()["other stop rules"].items():
        for rule in ("exact", "enough", "first", "all", "estimate", "longest"):
            options = SearchOptions(semantics=semantics, stop=rule)  # type: ignore[arg-type]
            if f"`{rule}`" in cell:
                check_options(options)
            else:
                with pytest.raises(SearchError, match="knows"):
                    check_options(options)
