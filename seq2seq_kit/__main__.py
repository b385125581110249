"""``s2s``, and ``python -m seq2seq_kit``."""

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command line (default: this process's) and exit."""
    try:
        from seq2seq_kit.cli import main as run
    except KeyboardInterrupt:  # imports take a moment
        sys.exit(130)
    run(arguments)


if __name__ == "__main__":
    main()
