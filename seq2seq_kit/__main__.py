"""``s2s``, and ``python -m seq2seq_kit``."""

import sys


def main() -> None:
    """Run this process's command line and exit."""
    try:
        from seq2seq_kit.cli import main as run
    except KeyboardInterrupt:  # imports take a moment
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
