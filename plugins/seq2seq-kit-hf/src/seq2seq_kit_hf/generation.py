"""Settings of ``generate`` as search options, whose names and meanings ``semantics="hf"`` gives them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seq2seq_kit import UserError

SAME = {
    "num_beams": "beam_size",
    "num_return_sequences": "n_best",
    "num_beam_groups": "groups",
    "diversity_penalty": "diversity_penalty",
    "length_penalty": "length_penalty",
    "max_time": "max_seconds",
    "min_new_tokens": "min_new_tokens",
    "no_repeat_ngram_size": "no_repeat_ngram",
    "encoder_no_repeat_ngram_size": "no_repeat_ngram_source",
    "repetition_penalty": "repetition_penalty",
    "encoder_repetition_penalty": "repetition_penalty_source",
    "bad_words_ids": "bad_words",
    "sequence_bias": "sequence_bias",
    "suppress_tokens": "suppress",
    "begin_suppress_tokens": "suppress_at_start",
    "forced_bos_token_id": "forced_first",
    "forced_eos_token_id": "forced_last",
}
"""What differs in its name alone."""

SAMPLING = {
    "temperature": "temperature",
    "top_k": "top_k",
    "top_p": "top_p",
    "min_p": "min_p",
    "typical_p": "typical_p",
    "epsilon_cutoff": "epsilon",
    "eta_cutoff": "eta",
}
"""The same, heeded with ``do_sample`` only."""

OTHERS = (
    "max_length",
    "min_length",
    "max_new_tokens",
    "early_stopping",
    "do_sample",
    "exponential_decay_length_penalty",
    "decoder_start_token_id",
    "eos_token_id",
)
"""What is read in a way of its own, here or in the importer."""

WITHOUT_EFFECT = {
    *("bos_token_id", "pad_token_id", "transformers_version", "_from_model_config", "low_memory", "is_assistant"),
    *("use_cache", "cache_implementation", "cache_config", "return_legacy_cache", "prefill_chunk_size"),
    *("output_attentions", "output_hidden_states", "output_scores", "output_logits", "return_dict_in_generate"),
    *("num_assistant_tokens", "num_assistant_tokens_schedule", "assistant_confidence_threshold"),
    *("assistant_lookbehind", "target_lookbehind", "compile_config", "disable_compile", "remove_invalid_values"),
}
"""What changes no output of an encoder-decoder."""

DEFAULT_LIMIT = 20
"""What ``max_length`` is where nothing says it."""

STOP = {False: "estimate", True: "enough", "never": "longest"}
"""Beam search's ``early_stopping``."""


def search_section(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The section ``search`` of a run, for the content of a ``generation_config.json``.

    Raises:
        UserError: a setting that the kit's search has not, by its name.
    """
    given = {name: value for name, value in settings.items() if value is not None}
    _refuse_others(given)
    beams = given.get("num_beams", 1)
    section: dict[str, Any] = {"semantics": "hf", "beam_size": beams}
    section |= {ours: given[theirs] for theirs, ours in SAME.items() if theirs in given}
    section["max_length"] = given.get("max_new_tokens") or _limit(given.get("max_length", DEFAULT_LIMIT))
    if given.get("min_length"):
        section["min_length"] = max(given["min_length"] - 1, 0)
    if given.get("do_sample"):
        section["sampling"] = "tokens" if beams == 1 else "beams"
        section["beam_size"] = max(beams, section.get("n_best", 1))
        section |= {"top_k": 50} | {ours: given[theirs] for theirs, ours in SAMPLING.items() if theirs in given}
    elif beams > 1:
        section["stop"] = STOP[given.get("early_stopping", False)]
    if "exponential_decay_length_penalty" in given:
        start, factor = given["exponential_decay_length_penalty"]
        section |= {"length_decay_start": start, "length_decay_factor": factor}
    return section


def _limit(max_length: int) -> int:
    """The limit without the start token, which counts there. Its default, generate takes for a number of new tokens."""
    return max_length if max_length == DEFAULT_LIMIT else max_length - 1


def settings_of(config: Mapping[str, Any], generation: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a checkpoint: of its ``generation_config.json``, or of an old one's ``config.json``."""
    if generation:
        return dict(generation)
    return {name: config[name] for name in (*SAME, *SAMPLING, *OTHERS) if name in config}


def _refuse_others(given: Mapping[str, Any]) -> None:
    for name, value in given.items():
        if name in SAME or name in SAMPLING or name in OTHERS or name in WITHOUT_EFFECT:
            continue
        if value not in (False, 0, 0.0, "", [], {}):  # switched off
            raise UserError(f"generation_config.json: {name} is {value!r}: the kit's search has no such option")
    ends = given.get("eos_token_id")
    if isinstance(ends, list) and len(ends) > 1:
        raise UserError(f"generation_config.json: eos_token_id is {ends}: a run has one end symbol")
