"""No kernel reads or writes outside its arrays: a page that may not be touched lies right behind, or before, each.

An access outside ends the process with a signal, so all of it runs in a process of its own.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = '''
import ctypes, mmap, sys
import numpy as np
sys.path.insert(0, {tests!r})
from kernels.packs import GROUPED, KINDS, WHOLE_NUMBERS, input_of, random_packed
from minquant.kernels import append, attention, caches, inputs, matvec

libc, kept = ctypes.CDLL(None, use_errno=True), []

def guarded(array, at_end):
    """A copy of the array that ends where a forbidden page begins, or begins where one ends."""
    page = mmap.PAGESIZE
    pages = -(-array.nbytes // page)
    memory = mmap.mmap(-1, (pages + 2) * page)
    kept.append(memory)
    whole = np.frombuffer(memory, np.uint8)
    start = whole.ctypes.data
    for place in (start, start + (pages + 1) * page):
        assert libc.mprotect(ctypes.c_void_p(place), ctypes.c_size_t(page), 0) == 0
    first = page if not at_end else page + pages * page - array.nbytes
    copy = whole[first:first + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy

def check(kind, activations, rows, columns, group, at_end):
    m = random_packed(kind, 1, rows, columns, group=group)
    x = input_of(np.random.default_rng(0).standard_normal(columns).astype(np.float32), activations)
    kernel = matvec.kernel_for(kind, type(x), TABLE)
    expected = np.zeros(rows, np.float32)
    kernel(expected, m, 0, x, np.zeros(2 * columns, np.float32), 0, rows)
    m, x = kind(*(guarded(a, at_end) for a in m)), type(x)(*(guarded(a, at_end) for a in x))
    out, room = guarded(np.zeros(rows, np.float32), at_end), guarded(np.zeros(2 * columns, np.float32), at_end)
    inputs.prepare(x)
    kernel(out, m, 0, x, room, 0, rows)
    np.testing.assert_array_equal(out, expected)

def check_cache(kind, group, size, tokens, at_end):
    """Writing tokens and attending to them, with every array of the cache and of the room guarded."""
    k, v = np.random.default_rng(0).standard_normal((2, tokens, 2, size)).astype(np.float32)
    q, results = np.random.default_rng(1).standard_normal((6, size)).astype(np.float32), []
    for guard in (lambda array, at_end: array, guarded):
        cache = caches.make_cache(kind, 1, 2, tokens, size, group)
        cache = kind(*(guard(np.zeros_like(array), at_end) for array in cache))
        room = attention.make_room(6, tokens, cache)
        room = type(room)(*(guard(np.zeros_like(array), at_end) for array in room))
        for t in range(tokens):
            append.append(cache, 0, t, guard(k[t], at_end), guard(v[t], at_end))
        out = guard(np.zeros_like(q), at_end)
        attention.attend(out, guard(q, at_end), cache, 0, tokens, room)
        results.append(out)
    np.testing.assert_array_equal(*results)

TABLE = matvec.PLAIN if sys.argv[1] == "plain" else None
for kind in KINDS:
    for activations in (None, "int8:g32") if kind in WHOLE_NUMBERS else (None,):
        for rows, columns, group in ((1, 256, 32), (3, 512, 64), (2, 1280, 1280)):
            for at_end in (True, False):
                check(kind, activations, rows, columns, group, at_end)
for at_end in (True, False) if TABLE is None else ():
    for kind in (*caches.ROWS, caches.KiviCache):
        for group in (None,) if kind in (caches.BFloat16Cache, caches.KiviCache) else (None, caches.GROUP):
            for size, tokens in ((32, 1), (64, 7), (32, 200), (96, 17)):
                check_cache(kind, group, size, tokens, at_end)
print("inside")
if sys.argv[2] == "outside":
    guarded(np.zeros(64, np.float32), True)
    kept_array = guarded(np.zeros(64, np.uint8), True)
    ctypes.string_at(kept_array.ctypes.data, 65)
'''


def run(*arguments):
    program = PROGRAM.format(tests=str(Path(__file__).parents[1]))
    return subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True)


@pytest.mark.needs_jit
@pytest.mark.skipif(sys.platform == "win32", reason="pages are protected by mprotect")
@pytest.mark.parametrize("table", ("best", "plain"))
def test_kernels_stay_inside_their_arrays(table):
    done = run(table, "inside")
    assert done.returncode == 0 and done.stdout == "inside\n", done.stderr[-2000:]


@pytest.mark.needs_jit
@pytest.mark.skipif(sys.platform == "win32", reason="pages are protected by mprotect")
def test_a_step_outside_is_noticed():
    done = run("best", "outside")
    assert done.stdout == "inside\n" and done.returncode < 0
