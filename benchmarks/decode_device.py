"""How fast are models decoded on a GPU, beside Hugging Face's ``generate`` and what the GPU can do at most?

Needs a CUDA device, and refuses to run without one. Models of random weights, *base* (512 wide, 8 heads, feed-forward
2,048, 6 + 6 layers, V = 32,000), in bf16; sources of 20 tokens, outputs of 30, from source ids to hypotheses on the
host. Where transformers is installed in the same environment, a Marian model of the same sizes is run by ``generate``,
plain and with a static cache. Two limits stand beside them: the weights of a step read at the speed of a copy on the
device, and the launches of a step that is not recorded, one after the other.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from statistics import median
from typing import Any

from benchmarks.support import results
from benchmarks.support.harness import Options
from benchmarks.support.marian import SOURCE_LENGTH, TARGET_LENGTH
from benchmarks.support.worker import sample

CASES = {f"base, batch {batch}, beam {beams}": (batch, beams) for batch in (1, 32, 128) for beams in (1, 5)}
BASE = {"size": 512, "layers": 6, "heads": 8, "feed_forward_size": 2048}
VOCABULARY = 32_000
KIT, LAUNCHED = "kit, bf16", "kit, bf16, not recorded"
PLAIN, STATIC = "Hugging Face, bf16", "Hugging Face, bf16, static cache"


@dataclass
class Decoding:
    """One case of one system: ``decode`` writes outputs of ``TARGET_LENGTH`` tokens for ``batch`` sentences."""

    decode: Callable[[], Any]
    batch: int
    parts: dict[str, float] = field(default_factory=dict)

    def run(self) -> int:
        self.decode()
        return self.batch * TARGET_LENGTH


def run(options: Options) -> results.Result:
    """Measure the chosen cases."""
    import torch

    if not torch.cuda.is_available():
        raise SystemExit("decode_device needs a CUDA device, and here is none")
    cases = [name for name in CASES if options.wants(name)]
    if not cases:
        raise SystemExit(f"no case is named like {options.only} (there is: {'; '.join(CASES)})")
    return measured(cases, options, torch.device("cuda"), BASE, VOCABULARY)


def measured(cases: list[str], options: Options, device: Any, sizes: dict[str, int], vocabulary: int) -> results.Result:
    """The result of these cases, of models of these sizes."""
    import torch

    kit, peer = kit_model(device, sizes, vocabulary), hugging_face_model(device, sizes, vocabulary)
    rows, ratios = [], []
    for case in cases:
        batch, beams = CASES[case]
        source = torch.randint(4, vocabulary, (batch, SOURCE_LENGTH), device=device)
        jobs = {
            KIT: lambda source=source, beams=beams: kit_decode(kit, source, beams, recorded=True),
            LAUNCHED: lambda source=source, beams=beams: kit_decode(kit, source, beams, recorded=False),
        }
        if peer is not None:
            jobs[PLAIN] = lambda source=source, beams=beams: generate(peer, source, beams)
            jobs[STATIC] = lambda source=source, beams=beams: generate(
                peer, source, beams, cache_implementation="static"
            )
        taken = samples({name: Decoding(decode, batch) for name, decode in jobs.items()}, options)
        rows += [
            results.Row(case=case, system=name, unit="target tokens/s", samples=each, median=median(each))
            for name, each in taken.items()
        ]
        ratios += [results.ratio(rows, case, KIT, other) for other in taken if other != KIT]
        limits = {"limit, weights read": batch * copied_bytes_a_second(device) / weight_bytes(kit)}
        if device.type == "cuda":
            limits["limit, launches"] = batch / seconds_of_launches(kit, source, beams)
        for name, limit in limits.items():
            rows.append(
                results.Row(case=case, system=name, unit="target tokens/s", samples=[limit], median=round(limit, 1))
            )
    packages = ["torch", "seq2seq_kit", *(["transformers"] if peer is not None else [])]
    return results.Result(
        name="decode_device",
        date=results.today(),
        machine=f"{torch.cuda.get_device_name(device)}, {results.machine()}"
        if device.type == "cuda"
        else results.machine(),
        versions={name: version(name) for name in packages},
        settings={
            "work": f"{SOURCE_LENGTH} source and {TARGET_LENGTH} target tokens a sentence, bf16",
            "rounds": options.rounds,
        },
        rows=rows,
        ratios=ratios,
    )


def samples(jobs: dict[str, Decoding], options: Options) -> dict[str, list[float]]:
    """Tokens a second of each system, in rounds that take turns; a first run of each does not count."""
    for job in jobs.values():
        job.run()
    taken: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(options.rounds):
        for name, job in jobs.items():
            taken[name].append(round(sample(job, options.seconds)["value"], 1))
    return taken


def kit_model(device: Any, sizes: dict[str, int], vocabulary: int) -> Any:
    """Our model, in bf16."""
    import torch

    from seq2seq_kit.interfaces import SourceSpec, TargetSpec
    from seq2seq_kit.model import build_model
    from seq2seq_kit.run_config import ModelConfig

    torch.manual_seed(1)
    section = {"name": "transformer", **sizes}
    config = ModelConfig.model_validate({"encoder": section, "decoder": section})
    model = build_model(config, SourceSpec(vocabulary), TargetSpec(vocabulary)).eval()
    model.decoder.attention_wanted = False
    return model.to(device=device, dtype=torch.bfloat16)


def kit_decode(model: Any, source: Any, beams: int, recorded: bool) -> Any:
    """The n-best of a batch."""
    import torch

    from seq2seq_kit import SearchOptions, search
    from seq2seq_kit.interfaces import Batch

    length = TARGET_LENGTH - 1  # EOS comes after it
    with torch.inference_mode():
        model.decoder.takes_padding = recorded
        memory = model.encode(Batch(source, torch.ones_like(source, dtype=torch.bool)))
        state = model.decoder.init_state(memory, len(source))
        options = SearchOptions(beam_size=beams, min_length=length, max_length=length)
        return search(model.decoder.step, state, options)


def hugging_face_model(device: Any, sizes: dict[str, int], vocabulary: int) -> Any:
    """A Marian model of the same sizes, in bf16; None without transformers."""
    import torch

    try:
        from transformers import MarianConfig, MarianMTModel
    except ImportError:
        return None
    sides = {"layers": sizes["layers"], "attention_heads": sizes["heads"], "ffn_dim": sizes["feed_forward_size"]}
    config = MarianConfig(
        vocab_size=vocabulary,
        d_model=sizes["size"],
        max_position_embeddings=128,
        pad_token_id=0,
        eos_token_id=2,
        decoder_start_token_id=0,
        forced_eos_token_id=None,
        **{f"{side}_{name}": size for side in ("encoder", "decoder") for name, size in sides.items()},
    )
    torch.manual_seed(1)
    return MarianMTModel(config).eval().to(device=device, dtype=torch.bfloat16)


def generate(model: Any, source: Any, beams: int, **how: Any) -> Any:
    """The best of each sentence, on the host."""
    import torch

    lengths = {"min_new_tokens": TARGET_LENGTH, "max_new_tokens": TARGET_LENGTH}
    with torch.inference_mode():
        found = model.generate(
            input_ids=source, attention_mask=torch.ones_like(source), num_beams=beams, do_sample=False, **lengths, **how
        )
    return found.tolist()


def weight_bytes(model: Any) -> int:
    """What a step of the decoder reads of its weights."""
    return sum(weight.numel() * weight.element_size() for weight in model.decoder.parameters())


def copied_bytes_a_second(device: Any) -> float:
    """How fast the device reads, at a copy: half of the bytes that it moves are read."""
    import torch

    block = torch.empty(2**28 if device.type == "cuda" else 2**22, dtype=torch.int8, device=device)
    copy = torch.empty_like(block)

    def seconds() -> float:
        start = time.perf_counter()
        for _ in range(10):
            copy.copy_(block)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter() - start

    seconds()
    return 10 * 2 * block.nbytes / min(seconds() for _ in range(5))


def seconds_of_launches(model: Any, source: Any, beams: int) -> float:
    """What the launches of a step take that does nothing else: their number times that of a small one."""
    import torch
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CUDA]) as profiled:
        kit_decode(model, source, beams, recorded=False)
        torch.cuda.synchronize()
    launches = sum(event.count for event in profiled.key_averages()) / TARGET_LENGTH
    small = torch.zeros(1, device=source.device)
    count = 10_000
    torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(count):
        small.add_(1)
    torch.cuda.synchronize()
    return launches * (time.perf_counter() - start) / count
