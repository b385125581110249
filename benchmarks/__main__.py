"""``python -m benchmarks NAME…``: run benchmarks, keep their results as JSON, render ``RESULTS.md`` from all.

A name that there is not may be the first word of several (``train`` runs all ``train_*``). ``render`` only writes the
table again.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

from benchmarks.support import results
from benchmarks.support.harness import Options

QUESTIONS = (
    "decode",
    "decode_recurrent",
    "decode_compiled",
    "decode_translation",
    "decode_characters",
    "decode_precision",
    "decode_device",
    "search_overhead",
    "tatoeba",
    "multi30k",
    "transformer_german",
    "transformer_french",
    "first_minutes",
    "cmudict",
    "scan",
    "speech_digits",
    "summaries",
    "stress_decode",
    "train_speed",
    "train_losses",
    "corpus_memory",
    "parity_ct2",
    "parity_hf",
    "parity_peer_code",
)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(QUESTIONS)}, or render")
    parser.add_argument("--rounds", type=int, default=Options.rounds, help="samples a system and case (%(default)s)")
    parser.add_argument("--seconds", type=float, default=Options.seconds, help="length of a sample (%(default)s)")
    parser.add_argument(
        "--patience", type=float, default=Options.patience, help="seconds to wait for a quiet machine, in all"
    )
    parser.add_argument("--threads", type=int, default=Options.threads, help="threads of each system (%(default)s)")
    parser.add_argument(
        "--clock", choices=["wall", "cpu"], default=Options.clock, help="cpu: for a machine that is shared"
    )
    parser.add_argument("--set", action="append", default=[], dest="overrides", help="key=value, for those that train")
    parser.add_argument("--run", type=Path, help="score this run folder, for those that train")
    parser.add_argument("--only", action="append", default=[], help="cases with this in their names, for those of many")
    arguments = vars(parser.parse_args(argv))
    for several in ("overrides", "only"):
        arguments[several] = tuple(arguments[several])
    names = arguments.pop("names")
    if not names:
        for name in QUESTIONS:
            print(f"{name:20} {(importlib.import_module(f'benchmarks.{name}').__doc__ or '').partition(chr(10))[0]}")
        return 0
    chosen = [
        q for name in names for q in QUESTIONS if name == q or (name not in QUESTIONS and q.startswith(f"{name}_"))
    ]
    if not chosen and names != ["render"]:
        print(f"there is no benchmark {' '.join(names)!r} (there is: {', '.join(QUESTIONS)})", file=sys.stderr)
        return 2
    try:
        options = Options(**arguments)
    except ValueError as error:
        parser.error(str(error))
    for name in chosen:
        result = importlib.import_module(f"benchmarks.{name}").run(options)
        print(f"wrote {results.write(result)}", file=sys.stderr)
        print(results.render(result))
    results.render_all()
    return 0


if __name__ == "__main__":
    sys.exit(main())
