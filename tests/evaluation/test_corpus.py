"""Held-out text: named by hash, found in the reader's interpreter, never in a training text."""

from __future__ import annotations

import ast
import hashlib
import inspect
import json
import random
import sys
from pathlib import Path

import pytest

from minquant._paths import cache_dir, data_path
from minquant.evaluation import corpus

ROOT = Path(__file__).resolve().parents[2]
SPLITS = json.loads(data_path("heldout.json").read_text(encoding="utf-8"))["splits"]
PROSE = "A sentence long enough to be a paragraph of its own, and different in number "


@pytest.fixture(scope="module")
def library():
    """The paragraphs of this interpreter's library, parsed once."""
    return corpus.library_paragraphs()


@pytest.fixture
def fresh_cache(tmp_path, monkeypatch, library):
    """An empty cache folder, nothing remembered in the process, and this interpreter's library parsed already."""
    parse = corpus.library_paragraphs
    monkeypatch.setattr(corpus, "library_paragraphs", lambda root: parse(root) if root else library)
    monkeypatch.setenv("MINQUANT_CACHE_DIR", str(tmp_path / "cache"))
    corpus._texts.cache_clear()
    yield tmp_path / "cache"
    corpus._texts.cache_clear()


def write_library(folder: Path, paragraphs) -> Path:
    """A standard library of one file per paragraph. A line at the margin above keeps the paragraph's own indents."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, paragraph in enumerate(paragraphs):
        docstring = "f.\n\n" + paragraph
        (folder / f"m{number:04}.py").write_text(f"def f():\n    {docstring!r}\n", encoding="utf-8")
    return folder


def all_held(*splits: str) -> list[str]:
    return [p for split in splits or SPLITS for p in corpus.heldout(split).paragraphs]


# --- names and paragraphs ----------------------------------------------------------------------------------------


def test_a_name_is_the_head_of_the_sha256():
    text = "Grüße an alle, die ihre Namen aus dem Inhalt nehmen."
    assert corpus.paragraph_name(text) == hashlib.sha256(text.encode("utf-8")).hexdigest()[:16]


def test_paragraphs_are_cut_at_blank_lines_dedented_and_never_short():
    long = "x" * 70
    text = f"    {long}  \n      {long}\t\n  \t \n    short\n\n{long}"
    assert corpus.split_paragraphs(text) == [f"{long}\n  {long}", long]
    assert corpus.split_paragraphs("") == [] == corpus.split_paragraphs("y" * (corpus.MIN_PARAGRAPH - 1))


def test_a_paragraph_keeps_its_name_wherever_it_is_indented():
    body = f"{PROSE}one,\n    with an indent inside"
    indented = "\n".join("        " + line + " " for line in body.splitlines())
    assert corpus.split_paragraphs(indented) == [body]


def test_docstrings_are_those_of_an_exhaustive_walk():
    sources = [corpus.read_source(path) for path in corpus.standard_library_files()[::9]]
    sources.append("try:\n  pass\nexcept E:\n  def f():\n    'in a handler'\n"
                   "match x:\n  case 1:\n    class A:\n      'case'\n")
    found = 0
    for source in sources:
        ref = []
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
                if (text := ast.get_docstring(node, clean=False)) is not None:
                    ref.append((inspect.cleandoc(text), node.body[0].lineno, node.body[0].end_lineno))
        assert list(corpus.docstrings(source)) == ref
        found += len(ref)
    assert found > 300


def test_one_odd_paragraph_does_not_cost_the_file(tmp_path):
    odd = PROSE + "\ud800"  # a lone surrogate has no UTF-8
    found = corpus.library_paragraphs(write_library(tmp_path, [odd + "\n\n" + PROSE]))
    assert list(found.values()) == [odd, PROSE.rstrip()]


def test_files_that_do_not_parse_or_decode_are_passed_over(tmp_path):
    write_library(tmp_path, [PROSE])
    (tmp_path / "old.py").write_text("print 'Python 2'\n")
    (tmp_path / "raw.py").write_bytes(b"'\xff\xfe'\n")
    (tmp_path / "test").mkdir()
    write_library(tmp_path / "test", [PROSE + "hidden in the tests"])
    assert list(corpus.library_paragraphs(tmp_path).values()) == [PROSE.rstrip()]


# --- the splits --------------------------------------------------------------------------------------------------


def test_this_interpreter_holds_the_text_and_every_paragraph_bears_its_name():
    for split, names in SPLITS.items():
        held = corpus.heldout(split)
        assert held.share_found >= corpus.REQUIRED_SHARE and held.expected == len(names)
        assert [corpus.paragraph_name(p) for p in held.paragraphs] == [n for n in names if n in set(
            map(corpus.paragraph_name, held.paragraphs))]  # in the order of heldout.json
        assert held.text.split("\n\n") == list(held.paragraphs)


def test_there_is_enough_test_text():
    assert len(corpus.heldout("test").text.encode("utf-8")) >= 64_000


def test_splits_share_no_paragraph_and_no_name_twice():
    names = [name for split in SPLITS.values() for name in split]
    assert len(names) == len(set(names))
    paragraphs = all_held()
    assert len(paragraphs) == len(set(paragraphs))


def test_an_unknown_split_is_named():
    with pytest.raises(ValueError, match="unknown split 'dev': choose one of calibration, test, validation"):
        corpus.heldout("dev")


def test_the_order_of_the_files_does_not_matter(fresh_cache, tmp_path):
    paragraphs = all_held()
    texts = []
    for seed in (0, 1):
        random.Random(seed).shuffle(paragraphs)
        texts.append(corpus.heldout("test", write_library(tmp_path / f"lib{seed}", paragraphs)).text)
    assert texts[0] == texts[1] == corpus.heldout("test").text


@pytest.mark.parametrize("lost, refused", [(0, False), (0.015, False), (0.03, True), (1, True)])
def test_figures_from_other_text_are_refused(fresh_cache, tmp_path, lost, refused):
    paragraphs = list(corpus.heldout("test").paragraphs)
    kept = paragraphs[round(lost * len(paragraphs)):]
    library = write_library(tmp_path / "lib", kept)
    if refused:
        with pytest.raises(RuntimeError, match=rf"only {len(kept)} of the {len(paragraphs)} .* not be comparable"):
            corpus.heldout("test", library)
    else:
        assert corpus.heldout("test", library).paragraphs == tuple(kept)


# --- the cache file ----------------------------------------------------------------------------------------------


def forget() -> list[Path]:
    """Forget what this process read, so that the next call looks at the cache file; returns the cache files."""
    corpus._texts.cache_clear()
    return sorted(cache_dir().glob("paragraphs-*.json"))


def test_the_second_call_reads_the_cache_file(fresh_cache, monkeypatch):
    first = corpus.heldout("test")
    assert len(forget()) == 1
    monkeypatch.setattr(corpus, "library_paragraphs", lambda root: pytest.fail("parsed again"))
    assert corpus.heldout("test") == first
    assert corpus.heldout("validation").share_found == first.share_found  # one file serves every split


def poison(kept: dict) -> dict:
    name = next(iter(kept))
    return {**kept, name: kept[name] + " But the answer is 42."}


@pytest.mark.parametrize("damage", [
    lambda kept: "", lambda kept: json.dumps(kept)[:-100], lambda kept: "[" * 100_000, lambda kept: "[1, 2]",
    lambda kept: "{}", lambda kept: json.dumps(dict.fromkeys(kept, 7)), lambda kept: json.dumps(poison(kept)),
    lambda kept: json.dumps(dict(list(kept.items())[3:])), lambda kept: json.dumps({**kept, "0" * 16: "more"}),
], ids=["empty", "cut", "deep", "a list", "no entries", "numbers", "altered", "entries gone", "entries added"])
def test_a_damaged_cache_file_is_never_believed(fresh_cache, damage):
    first = corpus.heldout("test")
    (path,) = forget()
    sound = path.read_text(encoding="utf-8")
    path.write_text(damage(json.loads(sound)), encoding="utf-8")
    assert corpus.heldout("test") == first
    assert path.read_text(encoding="utf-8") == sound  # and it was mended


def test_a_cache_folder_that_cannot_be_written_costs_only_time(fresh_cache):
    fresh_cache.write_text("a file where the folder should be")
    assert corpus.heldout("test").share_found >= corpus.REQUIRED_SHARE


# --- the maintainers' sieve --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tool():
    """tools/corpus.py as a module."""
    import importlib.util

    spec = importlib.util.spec_from_file_location("corpus_tool", ROOT / "tools" / "corpus.py")
    module = importlib.util.module_from_spec(spec)
    before = list(sys.path)
    spec.loader.exec_module(module)
    sys.path[:] = before
    return module


def squeeze(line: str) -> str:
    return " ".join(line.split())


def leaks(text: str) -> list[str]:
    """Held-out paragraphs and long lines of them that stand in the text, told without the sieve's own code."""
    held = all_held("test", "validation")
    lines = {squeeze(line) for p in held for line in p.splitlines() if len(line.strip()) >= 40}
    own = {squeeze(line) for line in text.splitlines()}
    squeezed = squeeze(text)
    return [p for p in held if squeeze(p) in squeezed] + sorted(lines & own)


def test_the_sieve_stops_held_out_text_in_every_disguise(tool, tmp_path):
    paragraphs = all_held("test", "validation")
    line = next(row for p in paragraphs for row in p.splitlines() if 40 <= len(row) < 55)
    disguises = [
        *paragraphs[::5],
        "\n".join("        " + row for row in paragraphs[1].splitlines()),  # indented
        f"{PROSE}first,\n   \n{paragraphs[2]}",  # behind a blank line with spaces in it
        f"{PROSE}second,\n{paragraphs[3].splitlines()[0]}",  # one line inside another paragraph
        line,  # a long line as a paragraph of its own, shorter than a paragraph of ours must be
        f"    {line}   ",
    ]
    innocent = [PROSE + str(n) for n in range(20)]
    library = write_library(tmp_path, [p for pair in zip(disguises, innocent * 100) for p in pair])
    assert len(leaks("\n\n".join(disguises))) > 100  # the tell-tale works
    sieve = tool.Sieve()
    kept = "\n\n".join(sieve.keep(tool.paragraphs_of(path)) for path in corpus.standard_library_files(library))
    assert leaks(kept) == []
    assert all(text in kept and kept.count(text + "\n") <= 1 for text in innocent[2:])  # each once, and only once
    source = f"# {line}\n#    {line}\n{line}\nx = 1\n"
    assert sieve.clean_lines(source) == "x = 1"


def test_the_sieve_lets_nothing_of_the_real_library_through(tool):
    sieve = tool.Sieve()
    files = corpus.standard_library_files()[::8]
    before = "\n\n".join(p for path in files for p in tool.paragraphs_of(path))
    kept = "\n\n".join(sieve.keep(tool.paragraphs_of(path)) for path in files)
    source = "\n".join(sieve.clean_lines(tool.source_of(path)) for path in files)
    assert len(leaks(before)) > 50
    assert leaks(kept) == [] == leaks(source)
    assert len(kept) > 0.6 * len(before)  # and most of the rest is kept
