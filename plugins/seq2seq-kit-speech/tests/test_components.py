"""The encoder, the attention, CTC and SpecAugment: contracts, and sums that brute force confirms."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from seq2seq_kit_speech.alignment import spans
from seq2seq_kit_speech.ctc import JointCTC, JointCTCConfig
from seq2seq_kit_speech.ctc_prefix import CTCPrefixScores, CTCPrefixScoresConfig
from seq2seq_kit_speech.encoder import CTC, SpeechEncoder, SpeechEncoderConfig
from seq2seq_kit_speech.location import LocationAttention, LocationAttentionConfig
from seq2seq_kit_speech.spec_augment import SpecAugment, SpecAugmentConfig
from torch import Tensor, nn

from seq2seq_kit import (
    Batch,
    ConfigError,
    DecoderState,
    EncodedExample,
    Example,
    Memory,
    MemorySpec,
    SearchOptions,
    SourceSpec,
    StepOutput,
    TargetSpec,
    build,
    search,
)
from seq2seq_kit.testing import check_attention, check_decoder, check_encoder

TARGET = TargetSpec(7)
SOURCE = SourceSpec(feature_size=5)


def make_encoder(**options: Any) -> SpeechEncoder:
    torch.manual_seed(1)
    inner = {"name": "lstm", "embedding_size": 6, "size": 8, "bidirectional": True}
    encoder = SpeechEncoder(SpeechEncoderConfig(**{"channels": 3, "encoder": inner, **options}), SOURCE)
    encoder.attach(TARGET)
    return encoder.eval()


TRANSFORMER = {"name": "transformer", "size": 8, "layers": 1, "heads": 2, "feed_forward_size": 16, "dropout": 0.1}


@pytest.mark.parametrize("convolutions", [0, 1, 2])
@pytest.mark.parametrize("options", [{"ctc": True}, {"encoder": TRANSFORMER, "ctc": True}])
def test_the_encoder_keeps_its_contract(convolutions: int, options: dict[str, Any]) -> None:
    check_encoder(make_encoder(convolutions=convolutions, **options), SOURCE)


def test_each_convolution_halves_the_length() -> None:
    encoder = make_encoder(convolutions=2, ctc=True)
    mask = torch.arange(9) < torch.tensor([9, 5, 4, 1]).unsqueeze(1)
    memory = encoder(Batch(torch.randn(4, 9, 5), mask))
    assert memory.mask.sum(1).tolist() == [3, 2, 1, 1] and memory.states.shape == (4, 3, 8)
    torch.testing.assert_close(memory.extras[CTC].exp().sum(-1), torch.ones(4, 3))


def test_no_frame_at_all_is_defined() -> None:
    memory = make_encoder(ctc=True)(Batch(torch.zeros(2, 0, 5), torch.zeros(2, 0, dtype=torch.bool)))
    assert not memory.mask.any() and memory.extras[CTC].isfinite().all()


def test_an_encoder_of_tokens_is_refused() -> None:
    with pytest.raises(ConfigError, match="the task has tokens"):
        SpeechEncoder(SpeechEncoderConfig(), SourceSpec(vocab_size=9))


@pytest.mark.parametrize("query", ["current", "previous"])
def test_a_decoder_with_location_aware_attention_keeps_its_contract(query: str) -> None:
    torch.manual_seed(2)
    from seq2seq_kit import ComponentConfig, component_field

    class Holder(ComponentConfig):
        name: str = "holder"
        decoder: component_field("decoder")  # type: ignore[valid-type]

    attention = {"name": "location", "size": 6, "channels": 2, "kernel": 3}
    section = {"name": "gru", "embedding_size": 5, "size": 8, "attention": attention, "query": query}
    decoder = build("decoder", Holder(decoder=section).decoder, TARGET, MemorySpec(8))
    check_decoder(decoder, MemorySpec(8), target=TARGET)


@pytest.mark.parametrize("kernel", [1, 5])
def test_the_attention_keeps_its_contract(kernel: int) -> None:
    torch.manual_seed(3)
    config = LocationAttentionConfig(size=6, channels=2, kernel=kernel)
    check_attention(LocationAttention(config, 4, MemorySpec(5)), MemorySpec(5), query_size=4)


def test_the_weights_of_a_step_depend_on_those_of_the_last() -> None:
    torch.manual_seed(3)
    attention = LocationAttention(LocationAttentionConfig(size=6, channels=2, kernel=3), 4, MemorySpec(5))
    mask = torch.arange(6) < torch.tensor([6, 2]).unsqueeze(1)
    projected = attention.project(Memory(torch.randn(2, 6, 5), mask))
    state = attention.init_state(projected)
    query = torch.randn(2, 1, 4)
    _, first, state = attention(query, projected, state)
    context, second, _ = attention(query, projected, state)
    assert context.shape == (2, 1, 5) and not torch.allclose(first, second)
    torch.testing.assert_close(first.sum(-1), torch.ones(2, 1))
    assert not second[1, 0, 2:].any()


def test_an_even_kernel_is_refused() -> None:
    with pytest.raises(ValueError, match="must be odd"):
        LocationAttentionConfig(kernel=4)


# --- CTC --------------------------------------------------------------------------------------------------------------


def probability(log_probs: Tensor, wanted: tuple[int, ...], *, whole: bool) -> float:
    """By brute force: that the frames [S', V] say ``wanted`` and nothing else, or that it is what they begin with."""
    total = 0.0
    for path in itertools.product(range(log_probs.shape[1]), repeat=log_probs.shape[0]):
        said = tuple(token for token, _ in itertools.groupby(path) if token != 0)
        if said == wanted or (not whole and said[: len(wanted)] == wanted):
            total += float(sum(log_probs[t, token] for t, token in enumerate(path)).exp())
    return total


def memory_of(lengths: list[int], vocabulary: int = 7) -> Memory:
    """Random CTC scores without BOS, EOS and the unknown word, which no path then holds."""
    torch.manual_seed(5)
    logits = 2 * torch.randn(len(lengths), max(lengths), vocabulary)
    logits[:, :, 1:4] = -torch.inf
    mask = torch.arange(max(lengths)) < torch.tensor(lengths).unsqueeze(1)
    return Memory(torch.zeros(*mask.shape, 1), mask, extras={CTC: logits.log_softmax(-1)})


def test_prefix_scores_are_those_of_all_paths() -> None:
    memory = memory_of([4, 3])
    processor = CTCPrefixScores(CTCPrefixScoresConfig(weight=1.0), TARGET)
    state = processor.init(memory, 2)
    written = [(), (4,), (4, 4), (4, 4, 6)]  # a token that comes twice must have a blank between
    for prefix in written:
        tokens = torch.tensor([1, *prefix]).expand(2, 1, -1)
        output = processor.apply(torch.zeros(2, 1, 7), tokens, state)
        assert output.scores is not None
        for b, length in enumerate((4, 3)):
            log_probs = memory.extras[CTC][b, :length].double()
            begins = probability(log_probs, prefix, whole=False)
            for token in (2, 4, 5, 6):
                longer = prefix if token == 2 else (*prefix, token)
                expected = probability(log_probs, longer, whole=token == 2) / begins if begins else 0.0
                found = float(output.scores[b, 0, token].exp())
                if begins:
                    assert found == pytest.approx(expected, abs=1e-5), (prefix, b, token)
            assert output.scores[b, 0, [0, 1]].max() <= -100
        state = DecoderState(output.state, sentences=state.sentences)


def test_a_search_by_ctc_alone_finds_the_likeliest_text() -> None:
    memory = memory_of([4, 3])

    def step(tokens: Tensor, position: Tensor, state: DecoderState) -> StepOutput:
        return StepOutput(torch.zeros(*tokens.shape, 7))

    processor = CTCPrefixScores(CTCPrefixScoresConfig(weight=1.0), TARGET)
    options = SearchOptions(beam_size=30, length_penalty=0, max_length=8)
    found = search(step, options=options, batch_size=2, processors=[processor], memory=memory)
    for b, length in enumerate((4, 3)):
        log_probs = memory.extras[CTC][b, :length].double()
        texts = [text for n in range(length + 1) for text in itertools.product((4, 5, 6), repeat=n)]
        chances = {text: probability(log_probs, text, whole=True) for text in texts}
        best = max(chances, key=chances.__getitem__)
        assert tuple(found[b][0].tokens) == (*best, 2)
        assert found[b][0].log_prob == pytest.approx(np.log(chances[best]), abs=1e-4)


def test_long_recordings_give_finite_scores() -> None:
    memory = memory_of([1500])
    memory.extras[CTC] = (20 * torch.randn(1, 1500, 7)).log_softmax(-1)
    processor = CTCPrefixScores(CTCPrefixScoresConfig(), TARGET)
    state = processor.init(memory, 1)
    tokens = torch.tensor([[[1]]])
    for token in (4, 5, 5, 6) * 10:
        output = processor.apply(torch.zeros(1, 1, 7), tokens, state)
        assert output.scores is not None and output.scores.isfinite().all() and (output.scores <= 0).all()
        state = DecoderState(output.state, sentences=state.sentences)
        tokens = torch.cat([tokens, torch.tensor([[[token]]])], 2)


class Told(nn.Module):
    """Stands for a model whose encoder and decoder say what they are told to."""

    def __init__(self, memory: Memory) -> None:
        super().__init__()
        from seq2seq_kit import ComponentConfig, component_field

        class Holder(ComponentConfig):
            name: str = "holder"
            decoder: component_field("decoder") = {"name": "gru", "embedding_size": 4, "size": 4}  # type: ignore[valid-type]

        self.memory, self.target = memory, TARGET
        self.decoder = build("decoder", Holder().decoder, TARGET, MemorySpec(1))

    def encode(self, batch: Batch) -> Memory:
        return self.memory


def test_the_criterion_adds_the_probability_of_all_paths() -> None:
    memory = memory_of([4, 3])
    target = torch.tensor([[4, 4, 2], [5, 2, 0]])
    batch = Batch(torch.zeros(2, 4, 5), torch.ones(2, 4).bool(), target, target != 0)
    model = Told(memory)
    losses = [
        JointCTC(JointCTCConfig(weight=weight), TARGET).objective(model, batch).loss.item()
        for weight in (0, 1, 0.25)  # type: ignore[arg-type]
    ]
    paths = [((4, 4), 4), ((5,), 3)]
    expected = -sum(
        np.log(probability(memory.extras[CTC][b, :length].double(), text, whole=True))
        for b, (text, length) in enumerate(paths)
    )
    assert losses[1] == pytest.approx(expected, abs=1e-4)
    assert losses[2] == pytest.approx(0.75 * losses[0] + 0.25 * losses[1], abs=1e-4)


def test_without_ctc_scores_both_say_what_to_do() -> None:
    memory = Memory(torch.zeros(1, 2, 1), torch.ones(1, 2).bool())
    with pytest.raises(ConfigError, match="ctc: true"):
        CTCPrefixScores(CTCPrefixScoresConfig(), TARGET).init(memory, 1)
    batch = Batch(torch.zeros(1, 2, 5), torch.ones(1, 2).bool(), torch.tensor([[2]]), torch.ones(1, 1).bool())
    with pytest.raises(ConfigError, match="ctc: true"):
        JointCTC(JointCTCConfig(), TARGET).objective(Told(memory), batch)


# --- SpecAugment and times --------------------------------------------------------------------------------------------


class Framed:
    source_spec = SOURCE


def test_spec_augment_hides_bands_and_leaves_the_rest() -> None:
    config = SpecAugmentConfig(frequency_masks=1, frequency_width=2, time_masks=2, time_width=3)
    transform, hidden = SpecAugment(config, Framed()), []  # type: ignore[arg-type]
    for seed in range(30):
        plain = EncodedExample([], [2], frames=np.ones((10, 5), np.float32))
        given = np.random.default_rng(seed), np.random.default_rng(seed)
        frames, again = (transform.on_ids(plain, Example(""), g).frames for g in given)
        assert frames is not None and np.array_equal(frames, again) and plain.frames.all()  # type: ignore[union-attr]
        times, features = (frames == 0).all(1).sum(), (frames == 0).all(0).sum()
        assert times <= 6 and features <= 2 and set(np.unique(frames)) <= {0, 1}
        assert (frames == 0).sum() == times * 5 + features * 10 - times * features
        hidden.append((times, features))
    assert len(set(hidden)) > 5


def test_spec_augment_hides_no_more_than_its_share_of_a_recording() -> None:
    transform = SpecAugment(SpecAugmentConfig(time_masks=1, time_share=0.2, frequency_masks=0), Framed())  # type: ignore[arg-type]
    plain = EncodedExample([], [2], frames=np.ones((10, 5), np.float32))
    found = [transform.on_ids(plain, Example(""), np.random.default_rng(seed)).frames for seed in range(20)]
    assert max((frames == 0).all(1).sum() for frames in found) == 2  # type: ignore[union-attr]


def test_the_spans_of_tokens_are_in_order_without_pauses() -> None:
    attention = torch.tensor(
        [
            [0.1, 0.8, 0.1, 0.0, 0.0, 0.0, 0.0],
            [0.0, 0.0, 0.0, 0.0, 0.5, 0.5, 0.0],
            [0.0, 0.9, 0.0, 0.0, 0.0, 0.0, 0.1],  # EOS looks back, and is last all the same
        ]
    )
    assert spans(attention) == [(0, 3), (4, 6), (6, 7)]
    assert spans(torch.eye(3)) == [(0, 1), (1, 2), (2, 3)]
    assert spans(torch.ones(1, 4)) == [(0, 4)]
    assert spans(torch.ones(3, 2)) == [] == spans(torch.ones(0, 2))
