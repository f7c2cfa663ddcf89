"""Where compiled kernels are kept, so that an old one can never give an old answer.

Numba compiles a function when it is first called and, with ``cache=True``, keeps the machine code on disk. Its key is
the time stamp of the *one file* the function lies in: edit a helper in another file and the old machine code is found
again. So all kernels are kept in a folder whose name is a hash over every source file of this package and the vector
instructions they may use (``targets.py``): any edit of any of them makes a new, empty folder. (Numba itself separates
its versions and the processor models.)

The folder lies under ``$NUMBA_CACHE_DIR`` where that is set, else under ``minquant._paths.cache_dir()``. Where neither
can be written the kernels are compiled afresh in every process.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numba
from numba import njit

from .. import _paths
from .targets import TARGET

# What the compiler may do with our sums: reorder them (so that sixteen run side by side), fuse a*b+c, ignore the sign
# of zero. NaN and infinity keep their meaning, which full fastmath would take away.
_FAST = {"reassoc", "contract", "nsz", "arcp"}
jit = partial(njit, cache=True, fastmath=_FAST, error_model="numpy")
parallel_jit = partial(jit, parallel=True)
inlined_jit = partial(jit, forceinline=True)  # for steps of an innermost loop
# Where the order of the operations is the meaning. Said outright: a function that says nothing takes the liberties of
# whichever caller has it compiled first.
exact_jit = partial(njit, cache=True, error_model="numpy", fastmath=False)
contract_jit = partial(exact_jit, fastmath={"contract"})  # but a * b + c may be one instruction


def source_hash() -> str:
    """Twelve hex digits over the names and bytes of every source file of this package, and the target."""
    digest = hashlib.sha256(str(TARGET).encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def directory() -> Path:
    """The folder of the compiled kernels of these sources. It is made if need be."""
    base = os.environ.get("NUMBA_CACHE_DIR") or _paths.cache_dir() / "numba"
    path = Path(base) / f"minquant-{source_hash()}"
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            return path
    except OSError:
        return Path(tempfile.mkdtemp(prefix="minquant-kernels-"))


@contextmanager
def kernel_cache():
    """Point Numba at our folder while the kernels are being decorated; afterwards its setting is as it was."""
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(DIRECTORY)
    try:
        yield
    finally:
        numba.config.CACHE_DIR = before


def state() -> dict:
    """What ``doctor`` prints: folder, number of compiled functions in it and their size in bytes."""
    code = list(DIRECTORY.rglob("*.nbc")) if DIRECTORY.is_dir() else []
    return {"directory": str(DIRECTORY), "compiled": len(code), "bytes": sum(path.stat().st_size for path in code)}


DIRECTORY = directory()
