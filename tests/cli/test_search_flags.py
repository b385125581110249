"""What the verbs say to a search: every option, prefixes, JSONL, streams, minimum risk, copies, ensembles."""

from __future__ import annotations

import json
from pathlib import Path

import pytest


def outputs(done: object) -> list[str]:
    assert done.returncode == 0, done.stderr  # type: ignore[attr-defined]
    return done.stdout.splitlines()  # type: ignore[attr-defined, no-any-return]


def test_any_option_can_be_set(run_s2s, tiny_run: Path) -> None:
    plain = outputs(run_s2s("translate", tiny_run, input="one two\n"))
    assert plain == ["un deux"]
    done = run_s2s("translate", tiny_run, "--set", "max_new_tokens=1", "--set", "eos_ids=[2]", input="one two\n")
    assert outputs(done) == ["un"]
    done = run_s2s("translate", tiny_run, "--set", "top_tokens=2", "--json", input="one two\n")
    [record] = [json.loads(line) for line in outputs(done)]
    assert [step[0][0] for step in record["top_tokens"]] == ["un", "deux", "</s>"]
    done = run_s2s("translate", tiny_run, "--preset", "fairseq", "--set", "beam_size=2", "--n-best", 2, input="one\n")
    assert len(outputs(done)) == 2


def test_samples_are_those_of_the_seed(run_s2s, tiny_run: Path) -> None:
    def drawn(seed: int) -> list[str]:
        flags = ["--sampling", "tokens", "--beam-size", 6, "--n-best", 6, "--temperature", 3, "--top-p", 0.95]
        return outputs(run_s2s("translate", tiny_run, *flags, "--top-k", 20, "--seed", seed, input="one two\n"))

    assert drawn(1) == drawn(1) != drawn(2)


def test_requests_of_each_sentence(run_s2s, tiny_run: Path, tmp_path: Path) -> None:
    lines = [
        {"source": "one two", "prefix": "dix"},
        {"source": "one two", "banned": ["un"]},
        {"source": "one two", "choices": ["six sept"]},
        {"source": "three four"},
    ]
    given = "".join(json.dumps(line) + "\n" for line in lines)
    done = run_s2s("translate", tiny_run, "--jsonl", "--prefix", "trois", input=given)
    assert done.returncode == 2 and "automaton" in done.stderr  # "trois" begins none of the choices
    done = run_s2s("translate", tiny_run, "--jsonl", "--batch-size", 2, input=given)
    texts = outputs(done)
    assert texts[0].startswith("dix") and "un" not in texts[1].split()
    assert texts[2:] == ["six sept", "trois quatre"]
    assert outputs(run_s2s("translate", tiny_run, "--prefix", "six", input="one two\n"))[0].startswith("six")


def test_json_says_what_is_unmet_and_where_words_come_from(run_s2s, tiny_run: Path) -> None:
    line = {"source": "one two", "constraints": ["dix", ["neuf", "sept"]]}
    flags = ["--jsonl", "--json", "--attention", "--beam-size", 8, "--n-best", 8, "--max-length", 1]
    [record] = [json.loads(out) for out in outputs(run_s2s("translate", tiny_run, *flags, input=json.dumps(line)))]
    assert len(record["unmet"]) == 1 and record["text"] in ("dix", "neuf", "sept")
    assert record["alternatives"]
    for one in [record, *record["alternatives"]]:
        assert len(one["alignment"]) == len(one["attention"]) == len(one["token_scores"])
        assert all(row[i] == max(row) for row, i in zip(one["attention"], one["alignment"], strict=True))


def test_minimum_risk(run_s2s, tiny_run: Path) -> None:
    flags = ["--mbr", "chrf", "--sampling", "tokens", "--beam-size", 16, "--temperature", 1.5, "--seed", 1]
    assert outputs(run_s2s("translate", tiny_run, *flags, input="one two\n")) == ["un deux"]


def test_a_stream_is_the_same_text(run_s2s, tiny_run: Path) -> None:
    text = "one two\n\nten six three\n"
    assert (
        run_s2s("translate", tiny_run, "--stream", input=text).stdout
        == run_s2s("translate", tiny_run, input=text).stdout
    )


def test_unknown_words_are_copied(run_s2s, tiny_run: Path, tmp_path: Path) -> None:
    flags = ["--replace-unknown", "--set", "sequence_bias=[[[3], 50.0]]", "--max-length", 2]
    [plain] = outputs(run_s2s("translate", tiny_run, *flags[1:], input="Zoë\n"))
    assert plain == "<unk> <unk>"
    dictionary = tmp_path / "names.tsv"
    dictionary.write_text("Zoë\tZoé\n", encoding="utf-8")
    [copied] = outputs(run_s2s("translate", tiny_run, *flags, "--dictionary", dictionary, input="Zoë\n"))
    assert set(copied.split()) <= {"<unk>", "Zoé"} and "Zoé" in copied


def test_runs_answer_together(run_s2s, tiny_run: Path) -> None:
    flags = ["--ensemble", tiny_run, "--weights", "2,1", "--combination", "log_linear"]
    assert outputs(run_s2s("translate", tiny_run, *flags, input="one two\n")) == ["un deux"]


def test_scores_of_targets(run_s2s, tiny_run: Path) -> None:
    pairs = "one two\tun deux\none two\tdix\n"
    rows = [line.split("\t") for line in outputs(run_s2s("score", tiny_run, input=pairs))]
    assert [int(row[2]) for row in rows] == [3, 2]
    assert float(rows[0][0]) > float(rows[1][0]) and float(rows[0][3]) < float(rows[1][3])
    records = [json.loads(line) for line in outputs(run_s2s("score", tiny_run, "--json", input=pairs))]
    assert [r["log_prob"] for r in records] == pytest.approx([float(row[1]) for row in rows], abs=1e-5)
    assert sum(records[0]["token_scores"]) == pytest.approx(records[0]["log_prob"], abs=1e-5)
    decoded = json.loads(run_s2s("translate", tiny_run, "--json", input="one two\n").stdout)
    assert decoded["score"] == pytest.approx(records[0]["score"], abs=1e-4)


@pytest.mark.parametrize(
    ("arguments", "stdin", "message"),
    [
        (["translate", "--set", "beam_sise=3"], "one\n", "did you mean 'beam_size'"),
        (["translate", "--set", "top_p"], "one\n", "--set top_p: write key=value, for instance --set beam_size=5"),
        (["translate", "--set", "top_k=many"], "one\n", "top_k"),
        (["translate", "--set", "top_p=7"], "one\n", "top_p"),
        (["translate", "--semantics", "mine"], "one\n", "semantics"),
        (["translate", "--preset", "fairsec"], "one\n", "did you mean 'fairseq'"),
        (["translate", "--prefix", "klingon"], "one\n", "line 1: prefix has 'klingon'"),
        (["translate", "--jsonl"], "one\n", "line 1: is not valid JSON"),
        (["translate", "--jsonl"], '{"text": "one"}\n', "line 1: is not an object with a text 'source'"),
        (["translate", "--stream", "--json"], "one\n", "--stream writes one text"),
        (["translate", "--mbr", "meteor"], "one\n", "unknown metric 'meteor'"),
        (["translate", "--weights", "2,x"], "one\n", "--weights must be numbers"),
        (["translate", "--weights", "2,1"], "one\n", "must be 1 numbers"),
        (["translate", "--dictionary", "x"], "one\n", "--replace-unknown"),
        (["score"], "one\n", "line 1: has 1 columns"),
        (["evaluate", "--data", "x.tsv", "--set", "top_k=many"], "", "top_k"),
    ],
)
def test_mistakes_get_a_sentence(run_s2s, tiny_run: Path, arguments: list[str], stdin: str, message: str) -> None:
    done = run_s2s(arguments[0], tiny_run, *arguments[1:], input=stdin)
    assert done.returncode == 2, done.stdout
    assert message in done.stderr and "Traceback" not in done.stderr
