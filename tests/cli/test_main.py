"""The command itself: contents, verbs, exit codes, what it loads."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from minquant import __version__, cli


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"], ["help"]])
def test_help_lists_every_verb_with_what_it_does(command, words):
    done = command(*words)
    assert done.code == 0 and done.err == ""
    for verb, line in cli.VERBS.items():
        assert f"  {verb}" in done.out and line in done.out
    assert max(map(len, done.out.splitlines())) <= 110


@pytest.mark.parametrize("verb", cli.VERBS)
def test_every_verb_explains_itself(command, verb):
    done = command(verb, "--help")
    assert done.code == 0 and done.err == ""
    assert f"minquant {verb}" in done.out


def test_version(command):
    assert command("--version") == (0, f"minquant {__version__}\n", "")


def test_an_unknown_verb_is_refused_with_the_nearest_one(refused):
    line = refused("evel")
    assert "'evel'" in line and "did you mean 'eval'" in line and "doctor" in line


def test_an_unknown_option_is_refused_in_one_line(refused):
    assert "--wieghts" in refused("eval", "--wieghts", "int8:channel")


def test_an_option_is_never_guessed_from_its_beginning(refused):
    assert "--limit" in refused("eval", "--limit", "100")


class Verb:
    """A verb that ends as it is told to."""

    def __init__(self, how):
        self.how = how

    def main(self, argv):
        if isinstance(self.how, BaseException):
            raise self.how
        return self.how


@pytest.mark.parametrize("how, code, said", [
    (0, 0, ""), (None, 0, ""), (3, 3, ""),
    (ValueError("no such\nscheme"), 2, "minquant eval: no such scheme\n"),
    (FileNotFoundError("no file"), 2, "minquant eval: no file\n"),
    (ValueError(), 2, "minquant eval: ValueError\n"),
    (KeyboardInterrupt(), 130, "minquant eval: interrupted\n"),
    (SystemExit(2), 2, ""), (SystemExit(None), 0, ""),
])
def test_every_ending_is_an_exit_code_and_at_most_one_line(command, monkeypatch, how, code, said):
    monkeypatch.setattr(cli, "import_module", lambda name: Verb(how))
    assert command("eval") == (code, "", said)


def test_a_fault_of_ours_says_so(command, monkeypatch):
    monkeypatch.setattr(cli, "import_module", lambda name: Verb(KeyError("kl")))
    done = command("eval")
    assert done.code == 1 and done.err.count("\n") == 1
    assert "KeyError" in done.err and "fault of minquant" in done.err and "--debug" in done.err


@pytest.mark.parametrize("words", [["--debug", "eval"], ["eval", "--debug"]])
def test_debug_shows_the_traceback(monkeypatch, words):
    monkeypatch.setattr(cli, "import_module", lambda name: Verb(ValueError("no such scheme")))
    with pytest.raises(ValueError, match="no such scheme"):
        cli.main(words)


def test_help_is_quick_and_loads_nothing_heavy():
    """The promise is 0.5 s; the bound is on the best of three, so that a busy machine does not fail it."""
    code = ("import sys; from minquant.cli import main; main(['--help']); "
            "print(sorted({n.split('.')[0] for n in sys.modules} & {'numpy', 'numba', 'matplotlib', 'jupyterlab'}))")
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
        seconds.append(time.perf_counter() - start)
        assert done.stdout.splitlines()[-1] == "[]", done.stdout + done.stderr
    assert min(seconds) < 0.5


@pytest.mark.parametrize("verb", cli.VERBS)
def test_a_wrong_option_is_answered_before_anything_heavy_is_loaded(verb):
    code = (f"import sys; from minquant.cli import main; code = main(['{verb}', '--no-such-option']); "
            "print(code, sorted({n.split('.')[0] for n in sys.modules} & {'numba', 'matplotlib', 'jupyterlab'}))")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "2 []", done.stdout + done.stderr


def test_python_dash_m_runs_the_same_command(fresh):
    done = fresh("--version")
    assert (done.returncode, done.stdout) == (0, f"minquant {__version__}\n")
    done = fresh("no-such-verb")
    assert done.returncode == 2 and done.stdout == "" and done.stderr.count("\n") == 1


def test_a_reader_that_stops_reading_is_no_error():
    """``minquant --help | head -1`` in effect: the pipe is closed before anything is printed."""
    read, write = os.pipe()
    os.close(read)
    code = "from minquant.cli import main; import sys; sys.exit(main(['eval', '--help']))"
    done = subprocess.run([sys.executable, "-c", code], stdout=write, stderr=subprocess.PIPE, text=True, timeout=60)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(os.name != "posix", reason="sends a POSIX signal")
def test_ctrl_c_exits_130_with_one_line(tmp_path):
    (tmp_path / "slow.py").write_text(
        "import signal, time\nfrom minquant import cli\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a test run in the background ignores it
        "class Slow:\n"
        "    def main(self, argv):\n"
        "        print('started', flush=True)\n"
        "        time.sleep(60)\n"
        "cli.import_module = lambda name: Slow()\n"
        "raise SystemExit(cli.main(['eval']))\n")
    child = subprocess.Popen([sys.executable, str(tmp_path / "slow.py")], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             text=True)
    assert child.stdout.readline() == "started\n"
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=30)
    assert (child.returncode, out, err) == (130, "", "minquant eval: interrupted\n")


def test_json_text_is_valid_whatever_the_figures_are():
    import numpy as np

    from minquant.cli.output import as_json

    text = as_json({"a": np.float32(0.5), "b": float("nan"), "c": np.array([1, 2]), "d": (np.float64("inf"), None, True),
                    "e": np.int64(7), "f": "µs"})
    assert json.loads(text) == {"a": 0.5, "b": None, "c": [1, 2], "d": [None, None, True], "e": 7, "f": "µs"}
