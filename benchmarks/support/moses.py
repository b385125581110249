"""Moses' tokenization of lowercased text, as published results on Multi30k have it, by sacremoses in its environment.

``python -m benchmarks.support.moses tokenize de`` reads lines and writes them tokenized; ``detokenize`` the other way.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

REQUIREMENTS = ["sacremoses==0.1.1"]


def moses(lines: Sequence[str], what: str, language: str) -> list[str]:
    """``tokenize`` (lowercase first, then normalise punctuation, then tokenize) or ``detokenize``."""
    from benchmarks.support.environments import environment
    from benchmarks.support.harness import ROOT

    command = [str(environment("moses", REQUIREMENTS)), "-m", "benchmarks.support.moses", what, language]
    text = "".join(line + "\n" for line in lines)
    done = subprocess.run(command, cwd=ROOT, input=text, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.split("\n")[:-1]


def main(what: str, language: str) -> None:
    from sacremoses import MosesDetokenizer, MosesPunctNormalizer, MosesTokenizer

    normalizer, tokenizer = MosesPunctNormalizer(language), MosesTokenizer(language)
    detokenizer = MosesDetokenizer(language)
    for line in sys.stdin:
        text = line.rstrip("\n")
        if what == "tokenize":
            print(tokenizer.tokenize(normalizer.normalize(text.lower()), return_str=True, escape=False))
        else:
            print(detokenizer.detokenize(text.split(), unescape=False))


if __name__ == "__main__":
    main(*sys.argv[1:])
