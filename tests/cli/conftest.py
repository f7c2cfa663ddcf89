"""Running the command in this process, and in one of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import NamedTuple

import pytest

from minquant._paths import data_path
from minquant.cli import main


class Done(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """``command("eval", "--json")`` runs a command line in this process."""
    def run(*words: object) -> Done:
        capsys.readouterr()
        code = main([str(word) for word in words])
        return Done(code, *capsys.readouterr())
    return run


@pytest.fixture
def refused(command: Callable[..., Done]) -> Callable[..., str]:
    """Run a command that must be refused: exit code 2, nothing on stdout, one line on stderr, which is returned."""
    def run(*words: object) -> str:
        done = command(*words)
        assert (done.code, done.out) == (2, ""), done
        assert done.err.count("\n") == 1 and "Traceback" not in done.err, done.err
        return done.err
    return run


@pytest.fixture
def fresh() -> Callable[..., subprocess.CompletedProcess[str]]:
    """``fresh("--version")`` runs ``python -m minquant --version`` in a new interpreter."""
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-m", "minquant", *words], capture_output=True, text=True, timeout=120)
    return run


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Folder of a very small model with random weights and the shipped tokenizer."""
    from minquant.model import Config, Tokenizer, Transformer, random_model, save

    config = Config(vocab_size=2048, hidden=64, layers=2, heads=2, kv_heads=1, head_dim=32, ffn=96, context=64)
    folder = tmp_path_factory.mktemp("checkpoint")
    save(Transformer(config, dict(random_model(config).weights), Tokenizer.from_file(data_path("tokenizer.json"))), folder)
    return str(folder)
