"""The search options that other toolkits start from. Torch-free."""

from __future__ import annotations

import difflib
import math
from typing import get_args

from seq2seq_kit.decoding.options import SearchOptions, Semantics
from seq2seq_kit.errors import SearchError

_PRESETS: dict[str, SearchOptions] = {
    "kit": SearchOptions(),
    # transformers: greedy; a max_length that nobody set means 20 new tokens (4.55, _prepare_generated_length).
    "hf": SearchOptions(semantics="hf", beam_size=1, max_length=20),
    # fairseq-generate: --beam 5 --lenpen 1 --max-len-a 0 --max-len-b 200 --min-len 1.
    "fairseq": SearchOptions(semantics="fairseq", min_length=1, max_length=200),
    # CTranslate2's Translator.translate_batch: beam_size=2, min_decoding_length=1, max_decoding_length=256.
    "ct2": SearchOptions(semantics="ct2", beam_size=2, min_length=1, max_length=256),
    # OpenNMT-py 3.5: -beam_size 5 -length_penalty avg -alpha 1 -max_length 250 -max_length_ratio 1.25 (and 5 more).
    "opennmt": SearchOptions(semantics="opennmt", max_length=250, max_length_ratio=1.25, max_length_margin=5),
    # marian-decoder: --beam-size 12 --normalize 0 --max-length-factor 3 of at most 1000 source words; no --allow-unk.
    "marian": SearchOptions(
        semantics="marian",
        beam_size=12,
        length_penalty=0.0,
        max_length=3000,
        max_length_ratio=3.0,
        max_length_margin=0,
        unk_penalty=math.inf,
    ),
    # sockeye-translate: --beam-size 5 --length-penalty-alpha 1 --length-penalty-beta 0 --beam-search-stop all.
    "sockeye": SearchOptions(semantics="sockeye"),
    # JoeyNMT's testing section: beam_size 1, beam_alpha -1 (none), min_output_length 1, at most 1.5 times the source.
    "joey": SearchOptions(
        semantics="joey",
        beam_size=1,
        length_penalty=0.0,
        length_penalty_offset=5.0,
        min_length=1,
        max_length=1000,
        max_length_ratio=1.5,
        max_length_margin=0,
    ),
}


def preset(name: str) -> SearchOptions:
    """The options with which a toolkit searches when it is told nothing, under its own semantics.

    They are a place to start from: ``dataclasses.replace(preset("fairseq"), beam_size=4, unk_id=3)``. Token ids are the
    model's, not the toolkit's: set ``bos_id``, ``eos_ids`` and ``unk_id``. ``"opennmt"``, ``"marian"`` and ``"joey"``
    limit the output by the source's length, so that these searches need it; Sockeye's limit rests on its training data,
    so that ``"sockeye"`` has only the kit's ``max_length``.

    Raises:
        SearchError: there is no preset of this name.
    """
    if name not in _PRESETS:
        known = ", ".join(f"'{each}'" for each in get_args(Semantics))
        near = difflib.get_close_matches(name, _PRESETS, 1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise SearchError(f"preset '{name}': must be one of {known}{hint}")
    return _PRESETS[name]
