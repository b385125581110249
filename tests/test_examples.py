"""Every example in small: its commands exist, it trains, what it learned has the right form. Its README has scores."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest
from support.cli import s2s

import seq2seq_kit
from seq2seq_kit.data import phrasebook
from seq2seq_kit.decoding.pipeline import Pipeline
from seq2seq_kit.run_config import load_config
from seq2seq_kit.training.log import read_metrics

pytestmark = pytest.mark.long

EXAMPLES = Path(__file__).parents[1] / "examples"
CONFIGS = {
    "same_length": "arithmetic/same_length.yaml",
    "different_length": "arithmetic/different_length.yaml",
    "char_no_attention": "char_no_attention/config.yaml",
    "no_teacher_forcing": "no_teacher_forcing/config.yaml",
    "scheduled": "no_teacher_forcing/scheduled.yaml",
    "word_gru_bahdanau": "word_gru_bahdanau/config.yaml",
    "french_english_lstm": "french_english_lstm/config.yaml",
    "language_model": "language_model/config.yaml",
    "transformer": "transformer/config.yaml",
    "pronunciation": "pronunciation/config.yaml",
    "summarization": "summarization/config.yaml",
    "dialogue": "dialogue/config.yaml",
    "many_languages": "many_languages/config.yaml",
}
SMALL = ["model.encoder.size=64", "model.decoder.size=64", "training.log_every=1", "training.validation_examples=10"]
STEPS = {"same_length": 150, "different_length": 150}  # quick ones
STEPS |= {"no_teacher_forcing": 20, "scheduled": 20, "word_gru_bahdanau": 40}  # unrolled: slow ones
CHANGED = {"scheduled": ["training.teacher_forcing.delay=5", "training.teacher_forcing.steps=10"]}
LARGE = ("pronunciation", "summarization", "dialogue", "many_languages")
CHANGED |= {name: ["training.batch_tokens=512"] for name in LARGE}


def program(path: str) -> ModuleType:
    """An example's Python file as a module."""
    spec = importlib.util.spec_from_file_location(Path(path).stem, EXAMPLES / path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small data for every example: sums, and short sentences of the corpus (English TAB French)."""
    folder = tmp_path_factory.mktemp("examples")
    program("arithmetic/make_sums.py").write_sums(folder / "sums", 2000)
    lines = phrasebook.path("train").read_text(encoding="utf-8").splitlines(keepends=True)
    short = [line for line in lines if len(line) < 60]
    (folder / "train.tsv").write_text("".join(short[:800]), encoding="utf-8")
    (folder / "dev.tsv").write_text("".join(short[800:860]), encoding="utf-8")
    for name, lines in {"train": short[:800], "dev": short[800:860]}.items():
        turns = [f"{number}\t\t{line}" for number, line in enumerate(lines)]  # conversations of one turn
        tagged = [f"<2{'de' if number % 2 else 'fr'}> {line}" for number, line in enumerate(lines)]
        for example, own in {"dialogue": turns, "many_languages": tagged}.items():
            (folder / example).mkdir(exist_ok=True)
            (folder / example / f"{name}.tsv").write_text("".join(own), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The run folder of an example, trained for some steps through the command line when first asked for."""

    @cache
    def train(name: str) -> Path:
        run = tmp_path_factory.mktemp("runs") / name
        files = data / "sums" / name if name.endswith("_length") else data
        files = files / name if name in ("dialogue", "many_languages") else files
        steps = STEPS.get(name, 60)
        small = [setting for setting in SMALL if name != "language_model" or "encoder" not in setting]
        settings = [*small, f"data.train=[{files}/train.tsv]", f"data.dev=[{files}/dev.tsv]"]
        settings += [f"training.max_steps={steps}", "training.learning_rate=0.005", *CHANGED.get(name, [])]
        options = [part for setting in settings for part in ("--set", setting)]
        done = s2s("train", EXAMPLES / CONFIGS[name], "--out", run, *options)
        assert done.returncode == 0, done.stderr
        return run

    return train


@pytest.fixture(scope="module")
def pipeline(trained: Callable[[str], Path]) -> Callable[[str], Pipeline]:
    return cache(lambda name: seq2seq_kit.load(trained(name)))


@pytest.mark.parametrize("name", CONFIGS)
def test_held_out_loss_falls(name: str, trained: Callable[[str], Path]) -> None:
    records = read_metrics(trained(name) / "metrics.jsonl")
    start = next(r["loss"] for r in records if r["kind"] == "train")
    end = [r["nll"] for r in records if r["kind"] == "validation"][-1]
    assert end < 0.8 * start


@pytest.mark.parametrize("readme", sorted(EXAMPLES.glob("*/README.md")), ids=lambda path: path.parent.name)
def test_the_commands_of_a_readme_exist(readme: Path) -> None:
    text = readme.read_text(encoding="utf-8")
    programs = re.findall(r"^python (\S+)", text, re.MULTILINE)
    configs = re.findall(r"^s2s train (\S+)", text, re.MULTILINE)
    runs = re.findall(r"^s2s train \S+ --out (\S+)", text, re.MULTILINE)
    assert configs and len(runs) == len(configs)
    for config in configs:
        load_config(EXAMPLES.parent / config)
    for path in programs:
        assert (EXAMPLES.parent / path).is_file()
    for run in re.findall(r"(?:^|\| )s2s (?!train)[a-z]+ (\S+)", text, re.MULTILINE):
        assert run in runs


def test_every_example_is_tested_and_explained() -> None:
    configs = {str(path.relative_to(EXAMPLES)) for path in EXAMPLES.glob("*/*.yaml")}
    assert configs == set(CONFIGS.values())
    assert {path.parent for path in EXAMPLES.glob("*/*.yaml")} == {p.parent for p in EXAMPLES.glob("*/README.md")}


def test_sums_are_right_and_held_out(data: Path) -> None:
    seen: dict[str, set[frozenset[int]]] = {}
    for path in sorted(data.glob("sums/*/*.tsv")):
        pairs = seen.setdefault(path.parent.name, set())
        for line in path.read_text().splitlines():
            source, target = line.split("\t")
            a, b = map(int, source.split("+"))
            assert a + b == int(target) and max(a, b) < 1000
            assert frozenset((a, b)) not in pairs  # nor the other way round, in any part
            pairs.add(frozenset((a, b)))
            if path.parent.name == "same_length":
                assert (len(source), len(target)) == (7, 4)
    assert len(seen["same_length"]) == len(seen["different_length"]) == 2000
    lengths = {len(line) for line in (data / "sums/different_length/test.tsv").read_text().splitlines()}
    assert len(lengths) > 3


def test_sums_are_the_same_every_time() -> None:
    draw_pairs = program("arithmetic/make_sums.py").draw_pairs
    assert draw_pairs(50, seed=1) == draw_pairs(50, seed=1) != draw_pairs(50, seed=2)


def test_arithmetic_answers_in_digits(pipeline: Callable[[str], Pipeline]) -> None:
    assert all(re.fullmatch(r"\d{4}", o.text) for o in pipeline("same_length").transduce(["012+345", "999+999"]))
    assert all(re.fullmatch(r"\d{1,5}", o.text) for o in pipeline("different_length").transduce(["12+345", "1+1"]))


def test_inference_by_hand_is_what_the_engine_does(pipeline: Callable[[str], Pipeline]) -> None:
    greedy = program("char_no_attention/greedy_by_hand.py").greedy
    run = pipeline("char_no_attention")
    for sentence in ["Where is the station?", "I am tired.", "She likes tea."]:
        [output] = run.translate([sentence], beam_size=1)
        assert greedy(run, sentence) == output.text
        assert output.attention is None


def test_nothing_but_the_forcing_differs() -> None:
    forced, *free = (
        load_config(EXAMPLES / CONFIGS[name]) for name in ("char_no_attention", "no_teacher_forcing", "scheduled")
    )
    for config in free:
        training = config.training.model_copy(update={"teacher_forcing": forced.training.teacher_forcing})
        assert config.training != training
        assert config.model_copy(update={"training": training}) == forced


@pytest.mark.parametrize(("name", "first", "last"), [("no_teacher_forcing", 0, 0), ("scheduled", 1, 0)])
def test_the_decoder_is_fed_its_own_output(
    name: str, first: float, last: float, trained: Callable[[str], Path]
) -> None:
    ratios = [r["teacher_forcing"] for r in read_metrics(trained(name) / "metrics.jsonl") if r["kind"] == "train"]
    assert (ratios[0], ratios[-1]) == (first, last)


def test_attention_looks_at_the_source(pipeline: Callable[[str], Pipeline]) -> None:
    [output] = pipeline("word_gru_bahdanau").translate(["Where is the station?"])
    assert output.source_tokens[0] == "Where"
    assert output.attention.shape == (len(output.tokens) + 1, len(output.source_tokens))
    assert output.attention.sum(1).tolist() == pytest.approx([1.0] * (len(output.tokens) + 1), abs=1e-5)


def test_french_comes_in_and_english_out(pipeline: Callable[[str], Pipeline], data: Path) -> None:
    run = pipeline("french_english_lstm")
    lines = (data / "train.tsv").read_text(encoding="utf-8").splitlines()
    english = set(re.findall(r"\w+", " ".join(line.split("\t")[0] for line in lines)))
    [output] = run.translate(["Où est la gare ?"])
    assert output.source_tokens[0] == "Où"
    assert english & {*output.tokens} and {*output.tokens} <= english | {*"?.!,'", "<unk>"}


def test_a_language_model_continues(pipeline: Callable[[str], Pipeline]) -> None:
    [output] = pipeline("language_model").generate(["Je"], seed=1)
    assert output.text.startswith("Je") and output.source_tokens == []


def test_evaluate_reads_the_right_direction(trained: Callable[[str], Path], data: Path) -> None:
    done = s2s("evaluate", trained("french_english_lstm"), "--data", data / "dev.tsv", "--json")
    assert done.returncode == 0, done.stderr


def test_constrained_search_gives_what_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    example = program("constrained_search.py")
    printed = dict(line.split(": ") for line in capsys.readouterr().out.splitlines())
    assert list(printed) == list(example.SENTENCES)
    free, begun, with_phrases, without, one_of_two, impossible = printed.values()
    assert begun.startswith("a big ") and not free.startswith("a big ")
    assert "bird" in with_phrases and re.search("big|small", with_phrases)
    assert "bird" in without and not re.search("cat|sings", without)
    assert one_of_two.split(" (")[0] in ("the bird sleeps", "a cat sings")
    assert impossible.endswith("not met") and "not met" not in free + begun + with_phrases + without + one_of_two


def test_samples_processors_and_ensembles(capsys: pytest.CaptureFixture[str]) -> None:
    program("sample_and_combine.py")
    blocks = re.split(r"^(?=\w)", capsys.readouterr().out, flags=re.MULTILINE)[1:]
    found = {lines[0]: [line.split()[1:] for line in lines[1:]] for lines in map(str.splitlines, blocks)}
    assert list(map(len, found.values())) == [3, 2, 2, 2]
    assert max(len("".join(words)) for words in found["in ten letters"]) <= 10
    assert max(len("".join(words)) for words in found["freely"]) > 10
    assert found["of both models"] != found["freely"]
