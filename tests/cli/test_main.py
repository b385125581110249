"""The command line's frame: exit codes, errors, pipes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

COMMAND = """
import sys
from seq2seq_kit import cli
from seq2seq_kit.errors import UserError

def add_to(app):
    @app.command()
    def act():
        {body}

cli.demo.add_to = add_to
cli.main(["act", *sys.argv[1:]])
"""


def act(body: str, *arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    """Run a command with this body in the place of a built-in one."""
    command = [sys.executable, "-c", COMMAND.format(body=body), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, **options)  # type: ignore[call-overload, no-any-return]


def test_a_users_mistake_is_a_sentence_and_2() -> None:
    done = act("raise UserError('run.yaml: there is no such file')")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "Error: run.yaml: there is no such file\n"


def test_our_mistake_is_one_and_1() -> None:
    done = act("raise ValueError('oops')")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: this is a bug of ours: ValueError: oops\n")
    assert "--debug" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(("error", "code"), [("UserError('x')", 2), ("ValueError('x')", 1)])
def test_debug_shows_the_traceback_and_changes_nothing_else(error: str, code: int) -> None:
    done = act(f"raise {error}", "--debug")
    assert done.returncode == code
    assert "Traceback" in done.stderr and "in act" in done.stderr


def test_interrupted_is_130_and_quiet() -> None:
    handler = "signal.signal(signal.SIGINT, signal.default_int_handler)"  # a shell's background jobs ignore it
    done = act(f"import signal; {handler}; signal.raise_signal(signal.SIGINT)")
    assert done.returncode == 130
    assert "Traceback" not in done.stderr


def test_a_reader_that_goes_away_is_no_error() -> None:
    command = [sys.executable, "-c", COMMAND.format(body="[print('line', i) for i in range(100_000)]")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline() == b"line 0\n"
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 128 + signal.SIGPIPE


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_is_said_once() -> None:
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-c", COMMAND.format(body="print('line')")]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr == "Error: stdout: No space left on device\n"


def test_output_is_utf8_whatever_the_locale() -> None:
    done = act("print('où')", env={**os.environ, "PYTHONIOENCODING": "ascii"}, encoding="utf-8")
    assert (done.returncode, done.stdout) == (0, "où\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["trian"], "No such command 'trian'. Did you mean 'train'?"),
        (["act", "--nothing"], "No such option: --nothing"),
        ([], "Usage: s2s"),
    ],
)
def test_wrong_usage_is_2(arguments: list[str], message: str) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            COMMAND.format(body="pass").replace('["act", *sys.argv[1:]]', "sys.argv[1:]"),
            *arguments,
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert message in done.stderr + done.stdout


def test_the_console_script_and_the_module_are_the_same() -> None:
    script = os.path.join(os.path.dirname(sys.executable), "s2s")
    for command in ([script], [sys.executable, "-m", "seq2seq_kit"]):
        done = subprocess.run([*command, "--version"], capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, done.stdout.split()[0]) == (0, "seq2seq_kit")


def test_a_stream_that_is_closed_is_no_bug() -> None:
    """And no file that the command opens takes its place."""
    body = "import sys; file = open('/dev/null'); assert file.fileno() > 2, file; print(sys.stdin.read())"
    command = ["sh", "-c", 'exec "$@" <&- >&-', "sh", sys.executable, "-c", COMMAND.format(body=body)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_name_that_is_no_unicode_can_be_said() -> None:
    done = act("raise UserError('run-\\udcff: there is no such run folder')")
    assert (done.returncode, done.stderr) == (2, "Error: run-\\udcff: there is no such run folder\n")
    done = act("print('run-\\udcff')", encoding="utf-8", errors="surrogateescape")
    assert (done.returncode, done.stdout) == (0, "run-\udcff\n")


def test_what_the_file_system_refuses_is_named() -> None:
    done = act("open('/none/such')")
    assert (done.returncode, done.stderr) == (2, "Error: /none/such: No such file or directory\n")
    done = act("raise MemoryError")
    assert done.returncode == 2 and done.stderr.startswith("Error: there is not enough memory (MemoryError): smaller")
