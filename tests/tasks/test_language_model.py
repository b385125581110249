"""The task ``language_model``: texts without a source, continued, scored, and mixed into another model's search."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from support.cli import s2s
from torch import Tensor

import seq2seq_kit
from seq2seq_kit.config import validate
from seq2seq_kit.decoding.run_ensemble import load_ensemble
from seq2seq_kit.errors import CheckpointError, ConfigError, DataError, UserError
from seq2seq_kit.interfaces import EncodedExample, Example, Memory
from seq2seq_kit.run_config import RunConfig, make_config
from seq2seq_kit.tasks.language_model import LanguageModel, LanguageModelConfig
from seq2seq_kit.testing.reference_search import reference_search
from seq2seq_kit.training.runs import resume, train


def values(data: Path, **task: Any) -> dict[str, Any]:
    """A tiny run whose texts are the second column of ``data``."""
    return {
        "seed": 4,
        "task": {"name": "language_model", **task},
        "data": {"train": [str(data)], "dev": [str(data)]},
        "model": {"decoder": {"name": "gru", "embedding_size": 16, "size": 24, "attention": "none"}},
        "training": {"max_steps": 120, "batch_tokens": 400, "learning_rate": 0.02, "validate_every": 60},
        "search": {"max_length": 12},
    }


def config(data: Path, **task: Any) -> RunConfig:
    return make_config(values(data, **task), [], "test")


@pytest.fixture(scope="module")
def lm_run(tiny_run: Path, tiny_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A language model of the targets of ``tiny_run``, with its target tokenizer, trained by the command line."""
    folder = tmp_path_factory.mktemp("lm")
    (folder / "lm.yaml").write_text(yaml.safe_dump(values(tiny_data, tokenizer_from=str(tiny_run))), encoding="utf-8")
    done = s2s("train", folder / "lm.yaml", "--out", folder / "run")
    assert done.returncode == 0, done.stderr
    return folder / "run"


def test_it_is_an_ordinary_run(lm_run: Path, tiny_run: Path) -> None:
    records = [json.loads(line) for line in (lm_run / "metrics.jsonl").read_text().splitlines()]
    validations = [record for record in records if record["kind"] == "validation"]
    assert validations[-1]["perplexity"] < 8  # the words are ten, and half of the texts have three of them
    assert validations[-1]["best"] and "chrf" not in validations[-1]
    saved = json.loads((lm_run / "checkpoint.json").read_text())["config"]
    assert saved["model"]["encoder"] is None
    assert saved["search"]["sampling"] == "tokens" and saved["search"]["top_p"] == 0.9
    assert saved["task"]["tokenizer"]["name"] == "word"  # as the lender has it
    own, lent = lm_run / "tokenizers/text.json", tiny_run / "tokenizers/target.json"
    assert own.read_bytes() == lent.read_bytes()


def test_it_needs_the_lender_no_more(tiny_run: Path, tiny_data: Path, tmp_path: Path) -> None:
    lender = tmp_path / "lender"
    lender.symlink_to(tiny_run)
    settings = make_config(values(tiny_data, tokenizer_from=str(lender)), ["training.max_steps=2"], "test")
    train(settings, tmp_path / "run")
    lender.unlink()
    assert seq2seq_kit.load(tmp_path / "run").generate(["dix"])[0].text.startswith("dix")
    assert resume(tmp_path / "run", ["training.max_steps=3"]).steps == 3


def test_batches_have_no_source(tiny_data: Path) -> None:
    task = LanguageModel(validate(LanguageModelConfig, {"tokenizer": "word"}, "test"))
    task.prepare(task.read([str(tiny_data)]))
    encoded = task.encode([Example("passed over", "un deux", id=7), Example("", "dix", id=8)])
    assert [e.source for e in encoded] == [[], []]
    batch = task.collate(encoded)
    assert batch.source.shape == batch.source_mask.shape == (2, 0) and batch.ids == [7, 8]
    assert batch.target is not None and batch.target_mask is not None
    assert batch.target.shape == (2, 3) and batch.target_mask.tolist() == [[True] * 3, [True, True, False]]
    assert task.collate([EncodedExample([])]).target is None
    assert task.source_spec is None and task.metrics() == {}


def test_it_continues_what_it_is_given(lm_run: Path) -> None:
    run = seq2seq_kit.load(lm_run)
    outputs = run(["dix", "un deux", ""] * 5, seed=3)
    assert all(o.text.startswith(p) for o, p in zip(outputs, ["dix", "un deux", ""] * 5, strict=True))
    assert all(o.source_tokens == [] and o.attention is None for o in outputs)
    assert len({o.text for o in outputs[2::3]}) > 1, "samples are all the same"
    assert [o.text for o in run(["dix", "un deux", ""] * 5, seed=3, batch_size=2)] == [o.text for o in outputs]
    [best] = run(["un"], sampling="off", top_p=1.0, beam_size=4)
    assert "".join(run.stream("un", sampling="off", top_p=1.0, beam_size=4)) == best.text
    with pytest.raises(DataError, match="prefix has 'klingon': the target vocabulary lacks a word of it"):
        run(["klingon"])


def test_it_ranks_what_others_wrote(lm_run: Path) -> None:
    run = seq2seq_kit.load(lm_run)
    ranked = run.rank("", ["un un un un un un", "deux trois"])
    assert [text for text, _ in ranked] == ["deux trois", "un un un un un un"]
    assert ranked[0][1].score > ranked[1][1].score


def test_a_transformer_needs_no_memory_either(tiny_data: Path, tmp_path: Path) -> None:
    decoder = "model.decoder={name: transformer, size: 16, layers: 2, heads: 2, feed_forward_size: 32}"
    train(make_config(values(tiny_data, tokenizer="word"), [decoder, "training.max_steps=3"], "test"), tmp_path / "run")
    run = seq2seq_kit.load(tmp_path / "run")
    [output] = run.generate(["dix"], sampling="off", beam_size=3)
    [forced] = run.score([("", output.text)])
    assert output.text.startswith("dix")
    assert forced.token_log_probs[: len(output.token_scores)] == pytest.approx(output.token_scores, abs=1e-5)


def test_the_verb_the_scores_and_the_perplexity(lm_run: Path, tiny_data: Path, tmp_path: Path) -> None:
    done = s2s("generate", lm_run, "--seed", 1, input="dix\n\n")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 2 and done.stdout.startswith("dix")

    texts = [line.split("\t")[1] for line in tiny_data.read_text().splitlines()]
    done = s2s("score", lm_run, input="".join(text + "\n" for text in texts))
    assert done.returncode == 0, done.stderr
    scored = [[float(number) for number in line.split("\t")] for line in done.stdout.splitlines()]
    log_prob, tokens = sum(row[1] for row in scored), sum(row[2] for row in scored)
    assert tokens == sum(len(text.split()) + 1 for text in texts)

    done = s2s("evaluate", lm_run, "--data", tiny_data, "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["tokens"] == tokens and report["examples"] == len(texts)
    assert report["metrics"]["perplexity"] == pytest.approx(math.exp(-log_prob / tokens), rel=1e-4)
    last = [json.loads(line) for line in (lm_run / "metrics.jsonl").read_text().splitlines()][-1]
    assert report["metrics"]["perplexity"] == pytest.approx(last["perplexity"], rel=1e-3)
    done = s2s("evaluate", lm_run, "--data", tiny_data)
    assert f"perplexity {report['metrics']['perplexity']:.4g} ({tokens:,.0f} tokens" in done.stdout


@pytest.mark.parametrize("beam_size", [1, 3])
def test_shallow_fusion_is_the_weighted_sum(tiny_run: Path, lm_run: Path, beam_size: int) -> None:
    """The engine's search with both equals the slow reference search on log p(y|x) + 0.4 log p(y)."""
    sources = ["one two", "six three four", "ten", "seven seven"]
    fused = load_ensemble([tiny_run, lm_run], weights=[1, 0.4], combination="log_linear")
    outputs = fused.translate(sources, beam_size=beam_size, n_best=beam_size)
    one, two = seq2seq_kit.load(tiny_run), seq2seq_kit.load(lm_run)
    options = fused.options(beam_size=beam_size, n_best=beam_size, unk_id=3)  # BOS and EOS are the defaults
    for source, output in zip(sources, outputs, strict=True):
        with torch.inference_mode():
            memory = one.model.encode(one.task.collate(one.task.encode([Example(source)])))

            def together(prefix: list[int], memory: Memory | None = memory) -> Tensor:
                tokens = torch.tensor([[1, *prefix]])
                rows = []
                for decoder, seen in ((one.model.decoder, memory), (two.model.decoder, None)):
                    rows.append(decoder.output(decoder(tokens, seen).hidden, seen)[0, -1].log_softmax(-1))
                return rows[0] + 0.4 * rows[1]

            found = reference_search(together, options, kind="log_probs")
        written = [output, *output.alternatives]
        assert [o.text for o in written] == [one.task.decode(Example(source), [h]).text for h in found]
        assert [o.score for o in written] == pytest.approx([h.score for h in found], abs=1e-4)
    alone = one.translate(sources, beam_size=beam_size)
    assert [o.score for o in alone] != pytest.approx([o.score for o in outputs], abs=1e-2)


def test_fusion_on_the_command_line(tiny_run: Path, lm_run: Path) -> None:
    options = ["--combination", "log_linear", "--ensemble", lm_run]
    alone = s2s("translate", tiny_run, input="one two\n")
    zero = s2s("translate", tiny_run, *options, "--weights", "1,0", input="one two\n")
    heavy = s2s("translate", tiny_run, *options, "--weights", "0,1", "--set", "max_length=5", input="one two\n")
    assert alone.stdout == zero.stdout != heavy.stdout, zero.stderr + heavy.stderr


def test_mistakes_get_a_sentence(tiny_data: Path, tiny_run: Path, lm_run: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"model\.encoder: the task 'language_model' has no source: leave"):
        make_config(values(tiny_data), ["model.encoder={name: gru}"], "test")
    with pytest.raises(ConfigError, match=r"model\.encoder: the task 'translation' has a source: say which encoder"):
        make_config(values(tiny_data), ["task=translation"], "test")
    with pytest.raises(ConfigError, match="attention luong needs an encoder; without one, use 'none'"):
        luong = make_config(values(tiny_data), ["model.decoder.attention=luong"], "test")
        train(luong, tmp_path / "run")
    with pytest.raises(UserError, match=r"reads a source, which .* has not: give a run that reads one first"):
        load_ensemble([lm_run, tiny_run])
    done = s2s("evaluate", lm_run, "--data", tiny_data, "--output", tmp_path / "out")
    assert done.returncode == 2 and "which is evaluated without writing anything" in done.stderr
    with pytest.raises(CheckpointError, match="there is no such run folder"):
        config(tiny_data, tokenizer_from=str(tmp_path / "none"))
    with pytest.raises(ConfigError, match=r"task\.tokenizer_from: .*, got 3"):
        config(tiny_data, tokenizer_from=3)
    other = config(tiny_data, tokenizer_from=str(tiny_run), tokenizer="char")
    with pytest.raises(ConfigError, match=r"task\.tokenizer: is .*'char'.*leave task\.tokenizer out"):
        train(other, tmp_path / "run")


@pytest.mark.parametrize("column", [1, 2])
def test_the_column_of_pairs(tiny_data: Path, column: int, number_pairs: list[tuple[str, str]]) -> None:
    task = LanguageModel(validate(LanguageModelConfig, {"tokenizer": "word", "column": column}, "test"))
    assert [e.target for e in task.read([str(tiny_data)])] == [pair[column - 1] for pair in number_pairs]
