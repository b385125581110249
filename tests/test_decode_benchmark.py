"""The comparison with other decoders measures what it says."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks import decode
from benchmarks.__main__ import QUESTIONS, main
from benchmarks.support import ceilings, marian, results
from benchmarks.support.decoders import Case, Decoding
from benchmarks.support.harness import Options


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
