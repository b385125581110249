"""Small decoders that keep the contract. One has a bit of everything, for tests to plant faults in."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from seq2seq_kit.interfaces import Decoder, DecoderOutput, DecoderState, Memory, StepOutput, TargetSpec, TensorDict

SIZE = 6
TARGET = TargetSpec(vocab_size=11)


class SoundDecoder(Decoder):
    """A recurrent row, a history that it attends to, and attention to the source.

    The methods are small, for a test to override one of them and be wrong in one way.
    """

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.embedding = nn.Embedding(TARGET.vocab_size, SIZE)
        self.positions = nn.Embedding(16, SIZE)
        self.input, self.recurrent = nn.Linear(SIZE, SIZE), nn.Linear(SIZE, SIZE)
        self.past, self.key = nn.Linear(SIZE, SIZE), nn.Linear(SIZE, SIZE)
        self.out = nn.Linear(SIZE, TARGET.vocab_size)

    def init_state(self, memory: Memory | None, batch_size: int) -> DecoderState:
        h = self.zeros(batch_size, 1, SIZE)
        return DecoderState({"h": h}, {"past": h.new_zeros(batch_size, 1, 0, SIZE)}, self.project(memory))

    def step(self, tokens: Tensor, position: Tensor, state: DecoderState) -> StepOutput:
        x = self.embed(tokens, position.unsqueeze(1))
        h = self.recur(x, state.rows["h"])  # [B, K, H]
        new = self.past(x).unsqueeze(2)  # [B, K, 1, H]
        past = torch.cat([state.history["past"], new], 2)  # [B, K, t + 1, H]
        own = ((h.unsqueeze(2) * past).sum(-1, keepdim=True).softmax(2) * past).sum(2)
        context, weights = self.attend(h, state.sentences)
        return StepOutput(self.score(h + own + context, state.sentences), "logits", {"h": h}, {"past": new}, weights)

    def forward(self, prefix: Tensor, memory: Memory | None) -> DecoderOutput:
        x = self.embed(prefix, torch.arange(prefix.shape[1], device=prefix.device).unsqueeze(0))  # [B, T, H]
        rows = [self.zeros(prefix.shape[0], SIZE)]
        for t in range(prefix.shape[1]):
            rows.append(self.recur(x[:, t], rows[-1]))
        h, past = torch.stack(rows[1:], 1), self.past(x)
        later = torch.ones(h.shape[1], h.shape[1], dtype=torch.bool, device=h.device).triu(1)
        own = (h @ past.transpose(1, 2)).masked_fill(later, -torch.inf).softmax(-1) @ past
        context, weights = self.attend(h, self.project(memory))
        return DecoderOutput(h + own + context, weights)

    def output(self, hidden: Tensor, memory: Memory | None) -> Tensor:
        return self.score(hidden, self.project(memory))

    def score(self, hidden: Tensor, source: TensorDict) -> Tensor:
        return self.out(hidden)

    def zeros(self, *shape: int) -> Tensor:
        return self.out.weight.new_zeros(shape)

    def embed(self, tokens: Tensor, position: Tensor) -> Tensor:
        return self.embedding(tokens) + self.positions(position)

    def recur(self, x: Tensor, h: Tensor) -> Tensor:
        return torch.tanh(self.input(x) + self.recurrent(h))

    def project(self, memory: Memory | None) -> TensorDict:
        if memory is None:
            return {}
        states = memory.states.masked_fill(~memory.mask.unsqueeze(-1), 0)
        return {"keys": self.key(states), "values": states, "mask": memory.mask}

    def attend(self, query: Tensor, source: TensorDict) -> tuple[Tensor, Tensor | None]:
        if not source:
            return torch.zeros_like(query), None
        scores = query @ source["keys"].transpose(1, 2)  # [B, Q, S']
        padding = ~source["mask"].unsqueeze(1)
        weights = scores.masked_fill(padding, torch.finfo(scores.dtype).min).softmax(-1).masked_fill(padding, 0)
        return weights @ source["values"], weights


class CopyingDecoder(SoundDecoder):
    """Scores each position of the source beside the vocabulary (and feeds what it copies back as unknown)."""

    def step(self, tokens: Tensor, position: Tensor, state: DecoderState) -> StepOutput:
        return super().step(self.known(tokens), position, state)

    def forward(self, prefix: Tensor, memory: Memory | None) -> DecoderOutput:
        return super().forward(self.known(prefix), memory)

    def known(self, tokens: Tensor) -> Tensor:
        return tokens.masked_fill(tokens >= TARGET.vocab_size, TARGET.unk_id)

    def score(self, hidden: Tensor, source: TensorDict) -> Tensor:
        copied = (hidden @ source["keys"].transpose(1, 2)).masked_fill(~source["mask"].unsqueeze(1), -torch.inf)
        return torch.cat([super().score(hidden, source), copied], -1)  # [B, Q, V + S']


class Bigrams(Decoder):
    """A language model without any state, which gives log-probabilities."""

    score_kind = "log_probs"

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(TARGET.vocab_size, TARGET.vocab_size)

    def init_state(self, memory: Memory | None, batch_size: int) -> DecoderState:
        return DecoderState()

    def step(self, tokens: Tensor, position: Tensor, state: DecoderState) -> StepOutput:
        return StepOutput(self.output(self.table(tokens), None), "log_probs")

    def forward(self, prefix: Tensor, memory: Memory | None) -> DecoderOutput:
        return DecoderOutput(self.table(prefix))

    def output(self, hidden: Tensor, memory: Memory | None) -> Tensor:
        return hidden.log_softmax(-1)
