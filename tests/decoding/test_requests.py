"""What may be asked of a pipeline's outputs: prefixes, phrases, choices, copies, minimum risk; forced scores."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

import seq2seq_kit
from seq2seq_kit import UserError
from seq2seq_kit.decoding.mbr import expected_utilities, utility
from seq2seq_kit.decoding.pipeline import Pipeline
from seq2seq_kit.errors import DataError
from seq2seq_kit.interfaces import Example
from seq2seq_kit.run_config import load_config
from seq2seq_kit.training.runs import train


@pytest.fixture(scope="module")
def pipeline(tiny_run: Path) -> Pipeline:
    return seq2seq_kit.load(tiny_run)


def test_prefixes_banned_phrases_and_choices(pipeline: Pipeline) -> None:
    sources = ["one two", "three four", "one two"]
    texts = [o.text for o in pipeline.translate(sources, prefixes=["dix", "", "cinq six"], batch_size=2)]
    assert texts[0].startswith("dix") and texts[1] == "trois quatre" and texts[2].startswith("cinq six")
    banned = pipeline.translate(sources, banned=[["un"], [], ["un deux", "klingon"]], n_best=3)
    assert "un" not in banned[0].text.split() and banned[1].text == "trois quatre"
    assert all("un deux" not in o.text for o in [banned[2], *banned[2].alternatives])
    chosen = pipeline.translate(sources, choices=[["sept dix", "dix sept"], ["trois quatre"], ["six"]])
    assert chosen[0].text in ("sept dix", "dix sept") and [o.text for o in chosen[1:]] == ["trois quatre", "six"]


def test_what_one_sentence_asks_is_no_matter_of_the_others(pipeline: Pipeline) -> None:
    wishes = [{}, {"prefix": "dix"}, {"constraints": ["huit"]}, {"banned": ["un"]}, {"choices": ["six", "deux un"]}]
    words = ["one two", "three", "six seven ten", "", "four five"]
    examples = [Example(words[i % 5], extras=wishes[i // 5 % 5] | wishes[i % 3]) for i in range(25)]
    options = pipeline.options(beam_size=4, n_best=2)

    def decoded(batch_size: int, chosen: list[Example]) -> list[list[str]]:
        found = pipeline.outputs(chosen, options, batch_size=batch_size)
        return [[o.text for o in [output, *output.alternatives]] for output in found]

    def alone(example: Example) -> list[str] | str:
        try:
            return decoded(1, [example])[0]
        except UserError as error:  # a prefix that begins none of the choices
            return str(error)

    single = [alone(example) for example in examples]
    possible = [i for i, found in enumerate(single) if isinstance(found, list)]
    assert len(possible) > 20
    for batch_size in (7, 64):
        assert decoded(batch_size, [examples[i] for i in possible]) == [single[i] for i in possible]


@pytest.mark.parametrize("phrases", [["huit"], [["neuf", "sept"]], ["deux", "dix"]])
def test_constraints_are_met(pipeline: Pipeline, phrases: list[str | list[str]]) -> None:
    [met, free] = pipeline.translate(["one two", "three four"], constraints=[phrases, []], beam_size=8)
    words = met.text.split()
    assert all(any(p in words for p in ([phrase] if isinstance(phrase, str) else phrase)) for phrase in phrases)
    assert met.unmet == [] and free.text == "trois quatre"


def test_wrong_requests_get_a_sentence(pipeline: Pipeline) -> None:
    def refused(message: str, **wishes: object) -> None:
        with pytest.raises(UserError, match=message):
            pipeline.translate(["one two"], **wishes)

    refused("1 sentences: give prefix as a list", prefixes=["un", "deux"])
    refused("1 sentences: give prefix as a list", prefixes="u")
    refused("constraints = 'un': must be a list of texts", constraints=["un"])
    refused("prefix has 'klingon': the target vocabulary lacks a word of it", prefixes=["klingon"])
    refused("banned has 3, which is no text", banned=[[3]])
    refused("choices has '', which holds no word", choices=[[""]])
    refused("unknown metric 'meteor'", mbr="meteor")
    refused("no_repeat_ngram_source", no_repeat_ngram_source=2)  # source and target ids are not the same tokens
    with pytest.raises(DataError, match="example 7: prefix has"):
        list(pipeline.outputs([Example("one", id=7, extras={"prefix": 3})], pipeline.options()))


def test_likeliest_tokens_of_each_step(pipeline: Pipeline) -> None:
    [output] = pipeline.translate(["one two"], top_tokens=2, n_best=2)
    assert [step[0][0] for step in output.top_tokens] == ["un", "deux", "</s>"]
    assert [step[0][1] for step in output.top_tokens] == pytest.approx(output.token_scores, abs=1e-5)
    assert len(output.alternatives[0].top_tokens) == len(output.alternatives[0].token_scores)


def test_attention_comes_for_every_hypothesis_of_a_beam(pipeline: Pipeline) -> None:
    [output, _] = pipeline.translate(["one two", "three four five"], n_best=4, beam_size=4)
    for o in [output, *output.alternatives]:
        assert o.attention.shape == (len(o.token_scores), 3)
        assert o.attention.sum(1).tolist() == pytest.approx([1.0] * len(o.token_scores), abs=1e-4)


def test_minimum_risk_reorders_what_was_found(pipeline: Pipeline) -> None:
    how = {"sampling": "tokens", "beam_size": 12, "temperature": 2.0, "seed": 4}
    [drawn] = pipeline.translate(["ten six three"], n_best=12, **how)
    [chosen] = pipeline.translate(["ten six three"], n_best=3, mbr="chrf", **how)
    texts = [o.text for o in [drawn, *drawn.alternatives]]
    expected = expected_utilities(texts, utility("chrf"))
    order = sorted(range(12), key=lambda i: -expected[i])
    assert [o.text for o in [chosen, *chosen.alternatives]] == [texts[i] for i in order[:3]]


def test_forced_scores_are_those_of_the_search(pipeline: Pipeline) -> None:
    sources = ["ten six three", "one two", "four"]
    outputs = pipeline.translate(sources, n_best=3)
    for source, output in zip(sources, outputs, strict=True):
        found = [output, *output.alternatives]
        scores = pipeline.score([(source, o.text) for o in found], batch_size=2)
        for o, score in zip(found, scores, strict=True):
            assert score.token_log_probs == pytest.approx(o.token_scores, abs=1e-5)
            assert score.score == pytest.approx(o.score, abs=1e-5)
            assert score.perplexity == pytest.approx(math.exp(-sum(o.token_scores) / len(o.token_scores)), abs=1e-3)
        ranked = pipeline.rank(source, [o.text for o in found[::-1]])
        assert [text for text, _ in ranked] == [o.text for o in found]
    assert pipeline.score([]) == []


def test_unknown_words_are_replaced_by_source_words(pipeline: Pipeline) -> None:
    unk = pipeline.task.target_spec.unk_id
    sources = ["one Zoë two", "seven"]
    bias = {"sequence_bias": (((unk,), 50.0),), "max_length": 3, "beam_size": 2, "n_best": 2}
    plain = pipeline.translate(sources, **bias)
    copied = pipeline.translate(sources, replace_unknown={"Zoë": "Zoé", "seven": "sept"}, **bias)
    for source, before, after in zip(sources, plain, copied, strict=True):
        for a, b in zip([before, *before.alternatives], [after, *after.alternatives], strict=True):
            assert "<unk>" in a.text
            words = source.split()
            wanted = []
            for token, position in zip(a.tokens, a.attention.argmax(1).tolist(), strict=False):
                word = words[position] if token == "<unk>" and position < len(words) else token
                wanted.append({"Zoë": "Zoé", "seven": "sept"}.get(word, word))
            assert b.text == " ".join(wanted) and b.tokens == a.tokens


def test_source_tokens_are_known_where_the_vocabulary_is_shared(tiny_config: Path, tmp_path: Path) -> None:
    small = ["training.max_steps=1", "training.validate_every=1", "training.validation_examples=0"]
    overrides = [*small, "task={name: translation, source_tokenizer: word, shared_tokenizer: true}"]
    train(load_config(tiny_config, overrides), tmp_path / "run")
    pipeline = seq2seq_kit.load(tmp_path / "run")
    source = " ".join(pipeline.task.source_tokenizer.words(range(4, 14)))
    how = {"max_length": 8, "min_length": 8}
    [free] = pipeline.translate([source], sequence_bias=(((4,), 50.0),), **how)
    [barred] = pipeline.translate([source], sequence_bias=(((4,), 50.0),), no_repeat_ngram_source=1, **how)
    assert set(free.tokens) & set(source.split())
    assert barred.tokens and not set(barred.tokens) & set(source.split())


def test_what_cannot_be_met_is_named(pipeline: Pipeline) -> None:
    [output] = pipeline.translate(["one two"], constraints=[["un", "dix", "neuf"]], max_length=1)
    assert len(output.tokens) == 1 and len(output.unmet) == 2
