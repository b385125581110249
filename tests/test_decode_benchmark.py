"""The comparison with other decoders measures what it says."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from benchmarks import decode
from benchmarks.__main__ import QUESTIONS, main
from benchmarks.support import ceilings, float64_search, marian, results
from benchmarks.support.decoders import Case, Decoding
from benchmarks.support.harness import Measured, Options


class Stub:
    """Answers each source with as many words as it has."""

    def decode(self, sources: list[str], case: Case, n_best: int) -> list[list[tuple[list[str], float]]]:
        return [[(source.split(), -float(i)) for i in range(n_best)] for source in sources]


def test_a_sample_counts_the_tokens_of_the_best_outputs() -> None:
    case = Case("small", batch=3, beams=2)
    job = Decoding(Stub(), case, marian.sentences("small", case.sources(threads=2)))
    assert job.run() == 2 * 3 * (marian.SOURCE_LENGTH - 1)
    assert [len(n_best) for n_best in job.output()] == [2] * 6
    assert Case("small", 1, 1, alone=True).sources(threads=2) == 1


def test_words_are_tokens_and_sources_stay_the_same() -> None:
    for size, sizes in marian.SIZES.items():
        known = marian.words(size)
        assert len(known) == len(set(known)) == sizes["vocabulary"] - 3
    assert marian.sentences("base", 3) == marian.sentences("base", 5)[:3]
    assert marian.parameters_a_step("base") == 6 * (6 * 512**2 + 2 * 512 * 2048) + 32_000 * 512


@pytest.mark.parametrize(
    ("theirs", "verdict"),
    [
        ([(["a"], -1.0), (["b"], -2.0)], "equal"),
        ([(["b"], -1.0001), (["a"], -1.9999)], "near-tie"),
        ([(["a"], -1.0), (["c"], -2.1)], "different"),
    ],
)
def test_outputs_are_equal_or_tied_or_different(theirs: list[Any], verdict: str) -> None:
    assert decode.agreement([(["a"], -1.0), (["b"], -2.0)], theirs) == verdict
    assert decode.agreement([(["a"], 0.0)], [(["b"], 0.0)]) == "different", "greedy outputs have no scores"


def test_what_differs_is_looked_at_in_float64() -> None:
    ours, tied = [(["a"], -1.0), (["b"], -2.0)], [(["b"], -1.0), (["a"], -2.0)]
    apart = [(["a"], -1.0), (["c"], -2.5)]
    case, hf = "base, batch 8, beam 5", "Hugging Face, fp32"
    ct2 = "CTranslate2 float32, 2 x 1"
    outputs = {(case, "kit, fp32"): [ours] * 4, (case, ct2): [ours, tied, apart, apart], (case, hf): [ours] * 4}
    asked: list[Any] = []

    def decided(name: str, pairs: Any) -> list[bool]:
        asked.append((name, dict(pairs)))
        return [True, False]

    found = decode.equal_outputs(Measured([], outputs, {}, 0, {"threads": 2}), [case], decided)
    assert asked == [(case, {2: (ours, apart), 3: (ours, apart)})]
    assert found == {
        f"{case}, CTranslate2": "1 of 4, 1 near-ties, 1 near-ties on the way",
        f"{case}, Hugging Face": "4 of 4",
    }


@pytest.mark.parametrize(("numbers", "verdict"), [([1e-5, 1e-4], True), ([0.1, 1e-4], False), ([1e-5, 0.1], False)])
def test_rounding_decides_where_a_beam_is_narrow_and_scores_are_right(
    numbers: list[float], verdict: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: list[list[str]] = []

    def run_command(command: list[str], options: Options) -> str:
        commands.append(command)
        return json.dumps([numbers])

    monkeypatch.setattr(decode, "run_command", run_command)
    lists = ([[["a"], -1.0]], [[["b"], -1.5]])
    case = "small, batch 8, beam 5"
    assert decode.decided_by_rounding("python", tmp_path, Options(threads=1), case, {3: lists}) == [verdict]
    path = Path(commands[0][-1])
    assert json.loads(path.read_text(encoding="utf-8")) == [[marian.sentences("small", 4)[3], *lists]]
    assert commands[0][3:-1] == [str(tmp_path / "small" / "hf"), "5"]


class Bigrams:
    """A model of three tokens whose next one depends on the last."""

    config = SimpleNamespace(decoder_start_token_id=0)
    log_probs = torch.tensor([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8], [0.6, 0.2, 0.2]], dtype=torch.float64).log()

    def get_encoder(self) -> Any:
        return lambda source: SimpleNamespace(last_hidden_state=torch.zeros(1, source.shape[1], 1).double())

    def __call__(self, encoder_outputs: Any, decoder_input_ids: torch.Tensor, use_cache: bool) -> Any:
        assert len(encoder_outputs[0]) == len(decoder_input_ids)
        return SimpleNamespace(logits=self.log_probs[decoder_input_ids] + 5)


def test_the_margin_of_a_beam_is_that_of_its_narrowest_step() -> None:
    source = torch.zeros(1, 4, dtype=torch.int64)
    # Kept of .5 .3 .2: .5 .3. Then of .25 .15 .1 and .03 .03 .24: .25 .24.
    margins = [math.log(0.3 / 0.2), math.log(0.24 / 0.15)]
    assert float64_search.least_margin(Bigrams(), source, 2, 1) == pytest.approx(margins[0])
    assert float64_search.least_margin(Bigrams(), source, 2, 2) == pytest.approx(min(margins))
    assert float64_search.score(Bigrams(), source, [1, 2, 0]) == pytest.approx(math.log(0.3 * 0.8 * 0.6))


def test_the_best_of_all_settings_is_compared() -> None:
    rates = {"kit, fp32": 3.0, "kit, bf16": 5.0, "kit, int8": 8.0, "CTranslate2 float32, 2 x 1": 1.0}
    rates |= {"CTranslate2 float32, 1 x 2": 2.0, "CTranslate2 int8, 2 x 1": 4.0, "CTranslate2 int8, 1 x 2": 3.0}
    rates |= {"Hugging Face, fp32": 1.0, "Hugging Face, bf16": 0.5}
    assert [*rates] == decode.systems(Options(threads=2))
    rows = [results.Row(case="x", system=s, unit="t", samples=[rate], median=rate) for s, rate in rates.items()]
    found = {(ratio.ours, ratio.theirs): ratio.ratio for ratio in decode.compared(rows, "x")}
    assert found["kit, fp32", "CTranslate2 float32, 1 x 2"] == 1.5
    assert found["kit, int8", "CTranslate2 int8, 2 x 1"] == 2.0
    assert found["kit, bf16", "Hugging Face, bf16"] == 10.0


def test_one_thread_has_one_setting_and_cases_can_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    assert decode.settings_of_ct2(Options(threads=1)) == ["1 x 1"]
    assert len(decode.CASES) == len(set(decode.CASES)) == 18
    chosen = Options(only=("small, batch 32",))
    assert [case for case in decode.CASES if chosen.wants(case)] == [
        f"small, batch 32, {how}" for how in ("greedy", "beam 4", "beam 5")
    ]
    with pytest.raises(SystemExit, match="no case is named like"):
        decode.run(Options(only=("batch 33",)))


def test_a_benchmark_named_as_the_first_word_of_others_is_run_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    run: list[str] = []

    def module(name: str) -> Any:
        run.append(name)
        raise KeyboardInterrupt

    monkeypatch.setattr("importlib.import_module", module)
    assert sum(question.startswith("decode_") for question in QUESTIONS) > 1
    with pytest.raises(KeyboardInterrupt):
        main(["decode"])
    assert run == ["benchmarks.decode"]


def test_ceilings_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ceilings, "SECONDS", 0.001)
    found = ceilings.measure(threads=1, sizes=[4096], rows=[2])
    assert found["read"]["4096"] > 0
    assert {*found["multiply"]} == {f"{precision}, 2" for precision in ceilings.PRECISIONS}
    assert min(found["multiply"].values()) > 0
