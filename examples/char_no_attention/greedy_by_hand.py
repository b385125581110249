"""Inference fed by its own output, written out: what ``s2s translate --beam-size 1`` does inside the C++ engine.

    python examples/char_no_attention/greedy_by_hand.py runs/char_no_attention "Where is the station?"

In training the decoder was fed the reference (teacher forcing). Here there is none: each step is fed the character that
the step before found most likely, from BOS until EOS. The last line printed is the engine's answer: the same text.
"""

from __future__ import annotations

import sys

import torch

from seq2seq_kit import Example, load
from seq2seq_kit.decoding.pipeline import Pipeline
from seq2seq_kit.tasks.translation import Translation


@torch.inference_mode()
def greedy(pipeline: Pipeline, sentence: str, max_length: int = 120) -> str:
    """The translation of one sentence, by a plain loop over the decoder's steps."""
    task, encoder, decoder = pipeline.task, pipeline.model.encoder, pipeline.model.decoder
    assert isinstance(task, Translation)
    batch = task.collate(task.encode([Example(sentence)]))
    state = decoder.init_state(encoder(batch), 1)  # the whole sentence is in this state: no attention looks back
    token = torch.tensor([[task.target_spec.bos_id]])  # [B, K] = [1, 1]
    ids: list[int] = []
    while len(ids) < max_length:
        output = decoder.step(token, torch.tensor([len(ids)]), state)
        token = output.scores.argmax(-1)
        if token.item() == task.target_spec.eos_id:
            break
        ids.append(int(token.item()))
        state = state.advance(output)
    return task.target_tokenizer.decode(ids)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit("usage: python examples/char_no_attention/greedy_by_hand.py RUN SENTENCE …")
    pipeline = load(sys.argv[1])
    for sentence in sys.argv[2:]:
        print("by hand:   ", greedy(pipeline, sentence))
        print("the engine:", pipeline.translate([sentence], beam_size=1)[0].text)
