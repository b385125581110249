"""The benchmarks measure what they say: the rival loop finds what the engine finds, results keep their form."""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from benchmarks import cmudict, decode_characters, plain_loop, scan, speech_digits, summaries
from benchmarks.__main__ import QUESTIONS, main
from benchmarks.decode_recurrent import random_model
from benchmarks.support import harness, load, results, searching, sequences, translation
from benchmarks.support.searching import Searching
from seq2seq_kit import SearchOptions, search
from seq2seq_kit.interfaces import Batch
from seq2seq_kit.run_config import load_config

CONFIGS = Path(translation.__file__).parents[1] / "configs"
MODEL = {
    "encoder": {"name": "gru", "embedding_size": 8, "size": 8},
    "decoder": {"name": "lstm", "embedding_size": 8, "size": 8, "attention": "luong", "input_feeding": True},
}
WORKER = """
from benchmarks.support.worker import serve
class Counting:
    def __init__(self): self.parts = {"half": 0.0}
    def output(self): return [NUMBER]
    def run(self): return NUMBER
serve(lambda system, case: Counting(), ["pydantic"])
"""


@pytest.mark.parametrize("beam_size", [1, 4])
@pytest.mark.parametrize(
    "limits",
    [
        {"max_length": 12},
        {"min_length": 3, "max_length": 6},
        {"max_length": 1},
        {"min_length": 4, "max_length": 9, "max_length_ratio": 1.5, "max_length_margin": 0},
    ],
)
def test_the_plain_loop_finds_what_the_engine_finds(beam_size: int, limits: dict[str, Any]) -> None:
    decoder, encoder = random_model(MODEL, 9)
    with torch.no_grad():  # lively, so that outputs differ and end on their own
        for parameter in [*decoder.parameters(), *encoder.parameters()]:
            parameter.copy_(torch.randn_like(parameter))
        decoder.output_layer.bias[2] += 4.0  # EOS
    source, lengths = torch.randint(4, 9, (16, 5)), torch.randint(1, 6, (16,))
    options = SearchOptions(beam_size=beam_size, length_penalty=0.6, **limits)
    with torch.inference_mode():
        state = decoder.init_state(encoder(Batch(source, torch.arange(5) < lengths.unsqueeze(1))), 16)
        loop = plain_loop.greedy if beam_size == 1 else plain_loop.beam
        plain = loop(decoder.step, state, 16, options, lengths)
        found = [nbest[0] for nbest in search(decoder.step, state, options, source_lengths=lengths)]
    assert [tokens for tokens, _ in plain] == [hypothesis.tokens for hypothesis in found]
    assert [log_prob for _, log_prob in plain] == pytest.approx([h.log_prob for h in found], abs=1e-4)
    assert len({len(tokens) for tokens, _ in plain}) > 1 or limits["max_length"] == 1, "all outputs are of one length"


def test_the_searches_of_several_batches_are_one_job() -> None:
    decoder, encoder = random_model(MODEL, 9)
    batches = []
    for size in (3, 2):
        source = torch.randint(4, 9, (size, 5))
        with torch.inference_mode():
            batches.append((encoder(Batch(source, torch.ones_like(source, dtype=torch.bool))), torch.full((size,), 5)))
    options = SearchOptions(beam_size=3, max_length=7)
    jobs = {s: Searching(s, decoder, batches, options) for s in (searching.KIT, searching.REFERENCE, searching.PLAIN)}
    outputs = {("case", system): job.output() for system, job in jobs.items()}
    assert searching.same_outputs(outputs, "case", list(jobs)) == "5 of 5"
    for system, job in jobs.items():
        before = job.parts["step"]
        assert job.run() == sum(map(len, outputs["case", system]))
        assert job.parts["step"] > before > 0
    outputs["case", searching.PLAIN][0] = []
    assert searching.same_outputs(outputs, "case", list(jobs)) == "4 of 5"


def test_the_native_stepper_and_the_tutorials_model_find_the_same() -> None:
    sections = {"encoder": {"name": "lstm", "embedding_size": 8, "size": 8, "layers": 2}}
    sections["decoder"] = {**sections["encoder"], "attention": "luong"}
    decoder, encoder = random_model(sections, 9)
    source = torch.randint(4, 9, (3, 5))
    with torch.no_grad():
        memory = encoder(Batch(source, torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [1, 1, 1, 1, 0]]).bool()))
    options = SearchOptions(beam_size=3, max_length=7)
    systems = [searching.PLAIN, searching.TUTORIAL, *searching.NATIVE]
    jobs = {s: Searching(s, decoder, [(memory, torch.tensor([5, 2, 4]))], options) for s in systems}
    outputs = {("case", system): job.output() for system, job in jobs.items()}
    assert searching.same_outputs(
        outputs, "case", [s for s in systems if searching.NATIVE.get(s) in (None, "fp32")]
    ) == ("3 of 3")
    assert all(job.run() > 0 for job in jobs.values())


def test_measuring_runs_a_process_a_system_and_compares_medians() -> None:
    systems = {f"system {n}": [sys.executable, "-c", WORKER.replace("NUMBER", str(n))] for n in (1, 1000)}
    options = harness.Options(rounds=3, seconds=0.01, patience=0, threads=1)
    measured = harness.measure(systems, ["a", "b"], "units", options)
    assert {(row.case, row.system) for row in measured.rows} == {(c, s) for c in "ab" for s in systems}
    assert all(len(row.samples) == 3 and row.unit == "units/s" for row in measured.rows)
    assert measured.outputs["b", "system 1000"] == [1000]
    assert {"python", "pydantic"} <= set(measured.versions)
    assert results.ratio(measured.rows, "a", "system 1000", "system 1").ratio > 10


def test_systems_of_one_command_share_a_process() -> None:
    def processes(*names: str) -> set[int]:
        worker = WORKER.replace("NUMBER", "__import__('os').getpid()")
        systems = {name: [sys.executable, "-c", worker, *name[1:]] for name in names}
        options = harness.Options(rounds=1, seconds=0.0, patience=0, threads=1)
        outputs = harness.measure(systems, ["case"], "units", options).outputs
        return {outputs["case", name][0] for name in names}

    assert len(processes("a", "b")) == 1
    assert len(processes("ax", "bx", "by")) == 2


def test_a_ratio_compares_what_was_measured_in_one_round() -> None:
    ours, theirs = (
        results.Row(case="a", system=system, unit="x", samples=samples, median=median(samples))
        for system, samples in {"ours": [1.0, 10.0, 3.0], "theirs": [1.0, 20.0, 1.0]}.items()
    )
    assert results.ratio([ours, theirs], "a", "ours", "theirs").ratio == 1.0


def test_cpu_seconds_are_for_one_thread() -> None:
    system = {"one": [sys.executable, "-c", WORKER.replace("NUMBER", "1")]}
    options = harness.Options(rounds=1, seconds=0.01, threads=1, clock="cpu")
    assert harness.measure(system, ["a"], "units", options).rows[0].unit == "units/CPU s"
    with pytest.raises(ValueError, match="--threads 1"):
        harness.Options(threads=2, clock="cpu")


def test_a_system_that_dies_is_named() -> None:
    with pytest.raises(RuntimeError, match="'broken' ended with exit code 3"):
        harness.measure(
            {"broken": [sys.executable, "-c", "raise SystemExit(3)"]}, ["a"], "x", harness.Options(rounds=1)
        )


def test_a_disturbed_sample_is_taken_again_while_there_is_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    shares = iter([0.5, 0.5, 0.0])
    monkeypatch.setattr(harness.ForeignLoad, "share", lambda self: next(shares, 0.0))
    monkeypatch.setattr(harness, "wait_until_quiet", lambda limit, patience: 1.0)
    system = {"one": [sys.executable, "-c", WORKER.replace("NUMBER", "1")]}
    measured = harness.measure(system, ["a"], "units", harness.Options(rounds=1, seconds=0.01, patience=60))
    assert measured.disturbed == 0
    assert next(shares, None) is None, "the sample was not taken three times"

    shares = iter([0.5])
    measured = harness.measure(system, ["a"], "units", harness.Options(rounds=1, seconds=0.01, patience=0))
    assert measured.disturbed == 1


def test_foreign_load_is_what_others_use(monkeypatch: pytest.MonkeyPatch) -> None:
    busy, own, clock = iter([100.0, 103.0]), iter([7.0, 9.0]), iter([0.0, 4.0])
    monkeypatch.setattr(load, "busy_seconds", lambda: next(busy))
    monkeypatch.setattr(load.time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(load.os, "cpu_count", lambda: 2)
    assert load.ForeignLoad(lambda: next(own)).share() == pytest.approx((3 - 2) / (4 * 2))


def test_the_character_benchmark_in_small() -> None:
    command = [sys.executable, "-m", "benchmarks.decode_characters"]
    systems = {s: command for s in (decode_characters.KIT, decode_characters.PLAIN)}
    options = harness.Options(rounds=1, seconds=0.0, patience=0, threads=1)
    measured = harness.measure(systems, [decode_characters.CASE], "characters", options)
    kit, plain = (measured.outputs[decode_characters.CASE, s] for s in systems)
    assert kit == plain
    assert len(kit) == decode_characters.OUTPUT_LENGTH + 1
    assert all(row.median > 0 for row in measured.rows)


def _result(**changes: object) -> dict[str, object]:
    row = {"case": "a", "system": "kit", "unit": "tokens/s", "samples": [1.0, 3.0, 2.0], "median": 2.0}
    return {
        "name": "example",
        "date": "2026-01-31",
        "machine": "2 cores",
        "versions": {"torch": "2"},
        "settings": {"threads": 2},
        "rows": [row],
        "ratios": [{"case": "a", "ours": "kit", "theirs": "loop", "ratio": 1.5}],
    } | changes


def test_a_result_survives_its_file_and_is_rendered(tmp_path: Path) -> None:
    result = results.Result.model_validate(_result())
    path = results.write(result, tmp_path)
    assert path == tmp_path / "example.json"
    assert results.read(path) == result
    results.render_all(tmp_path, tmp_path / "RESULTS.md")
    table = (tmp_path / "RESULTS.md").read_text()
    assert "| a | kit | tokens/s | 2.0 | 3: 1.0 to 3.0 |" in table
    assert "| a | kit | loop | **1.50** |" in table


@pytest.mark.parametrize(
    "changes", [{"rows": []}, {"date": "yesterday"}, {"machine": None}, {"speed": 3}, {"ratios": [{"case": "a"}]}]
)
def test_a_malformed_result_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        results.Result.model_validate(_result(**changes))


def test_the_committed_results_are_valid_and_rendered(tmp_path: Path) -> None:
    for path in results.RESULTS.glob("*.json"):
        assert results.read(path).name == path.stem
        assert path.stem in QUESTIONS
    results.render_all(tables=tmp_path / "RESULTS.md")
    assert results.TABLES.read_text(encoding="utf-8") == (tmp_path / "RESULTS.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_training_configurations_are_valid(path: Path) -> None:
    if path.stem == speech_digits.NAME:
        pytest.importorskip("seq2seq_kit_speech", reason="its plugin is tested in tests/plugins")
    assert load_config(path).search.beam_size == 5


def test_references_become_sacrebleus_streams() -> None:
    assert translation._streams([["a", "b"], ["c"]]) == [["a", "c"], ["b", None]]


def test_the_e_mails_that_choose_the_checkpoint_are_held_out(tmp_path: Path) -> None:
    source = tmp_path / "all.jsonl"
    source.write_text("".join(f'{{"id": {i}}}\n' for i in range(600)), encoding="utf-8")
    summaries.prepare(source, tmp_path)
    train, held_out = ((tmp_path / f"{part}.jsonl").read_text().splitlines() for part in ("train", "validation"))
    assert (len(train), len(held_out), len({*train, *held_out})) == (100, 500, 600)
    assert held_out != sorted(held_out, key=lambda line: json.loads(line)["id"])  # drawn


def test_strings_of_digits_are_what_their_texts_say(tmp_path: Path) -> None:
    soundfile = pytest.importorskip("soundfile")
    for digit, speaker, index in itertools.product(range(10), speech_digits.SPEAKERS, (0, 3)):
        name = tmp_path / f"{digit}_{speaker}_{index}.wav"
        soundfile.write(name, np.full(800 + 80 * index, 1000 * (digit + 1), np.int16), speech_digits.RATE)
    made = list(speech_digits.strings(tmp_path, "test", (0, 3), 60))
    again = list(speech_digits.strings(tmp_path, "test", (0, 3), 60))
    for one, same in zip(made, again, strict=True):
        said = [int(one.samples[round(middle * speech_digits.RATE)]) // 1000 - 1 for middle in one.middles]
        assert " ".join(speech_digits.WORDS[digit] for digit in said) == one.text
        assert one.samples[0] == one.samples[-1] == 0 and np.array_equal(one.samples, same.samples)
    assert {len(one.middles) for one in made} == set(range(1, 8))
    parts = [set(indices) for indices, _ in speech_digits.PARTS.values()]
    assert set.union(*parts) == set(range(50)) and sum(map(len, parts)) == 50 and parts[2] == set(range(5))


def test_no_word_of_the_dictionary_is_in_two_parts(tmp_path: Path) -> None:
    lines = [f"W{i}\tW {p}" for i in range(200) for p in range(1 + i % 3)]
    (tmp_path / "all.tsv").write_text("\n".join(lines) + "\n")
    held_out = cmudict.prepare(tmp_path / "all.tsv", tmp_path)
    assert cmudict.prepare(tmp_path / "all.tsv", tmp_path / "again") == held_out
    parts = {name: cmudict.read(tmp_path / f"{name}.tsv") for name in ("train", "validation")}
    assert [len(part) for part in (held_out, parts["validation"], parts["train"])] == [10, 2, 188]
    assert {**held_out, **parts["validation"], **parts["train"]} == cmudict.read(tmp_path / "all.tsv")
    for name in parts:
        assert (tmp_path / f"{name}.tsv").read_bytes() == (tmp_path / "again" / f"{name}.tsv").read_bytes()


def test_commands_and_actions_become_pairs(tmp_path: Path) -> None:
    lines = [f"IN: jump {i} OUT: I_JUMP I_TURN_LEFT " for i in range(40)]
    (tmp_path / "tasks.txt").write_text("\n".join(lines) + "\n")
    pairs = scan.read(tmp_path / "tasks.txt")
    assert pairs[3] == ("jump 3", "I_JUMP I_TURN_LEFT")
    scan.prepare(tmp_path / "tasks.txt", tmp_path / "scan-length")
    written = {name: (tmp_path / f"scan-length/{name}.tsv").read_text() for name in ("train", "validation")}
    assert sorted("".join(written.values()).splitlines()) == sorted("\t".join(pair) for pair in pairs)
    assert len(written["validation"].splitlines()) == 2
    config = {"config": {"data": {"train": [f"{tmp_path}/scan-length/train.tsv"]}}}
    (tmp_path / "checkpoint.json").write_text(json.dumps(config))
    assert scan.split_of(tmp_path) == "length"


def test_outputs_are_right_or_so_many_edits_wrong(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(translation, "translate", lambda folder, sources, threads: ["AH B", "C"])
    test = translation.TestSet("x", ["AB", "C"], [["EY B", "AH B"], ["K", "S IY"]])
    found, _ = sequences.score(tmp_path, test, harness.Options())
    assert found == {"exact": 50.0, "edits": pytest.approx(100 / 3)}


def test_the_list_of_questions_and_an_unknown_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in QUESTIONS)
    assert main(["decoed"]) == 2
    assert "decode_recurrent" in capsys.readouterr().err
