"""Which vector instructions may our kernels use on this processor?

One operation makes or breaks an integer kernel: four products of bytes added into a 32-bit sum, for every lane of a
vector. Processors have it under several names, and the compiler does not find all of them by itself.

    x86-vnni    vpdpbusd, one instruction (AVX-512 VNNI, AVX-VNNI: Intel since 2019, AMD since Zen 4)
    x86-avx2    vpmaddubsw and vpmaddwd, two instructions (Intel since 2013, AMD since 2015)
    arm-dot     sdot, one instruction for 16 bytes (ARMv8.2 and later, Apple M1 and later)
    generic     plain LLVM instructions, on any processor: the same results, more slowly

``MINQUANT_SIMD`` is read once, when the kernels are imported: ``0`` turns the vector kernels off (the plain loops then
do the work), the name of a target asks for it. Asking for one this processor lacks is an error: its instructions would
end the process.
"""

from __future__ import annotations

import os
import platform

import llvmlite.binding as llvm
from numba import config

NAMES = ("x86-vnni", "x86-avx2", "arm-dot", "generic")


def features() -> set[str]:
    """Names, as LLVM has them, of what the processor Numba compiles for can do."""
    if config.CPU_FEATURES is not None:  # NUMBA_CPU_FEATURES: "+avx2,-fma"
        return {part.strip()[1:] for part in config.CPU_FEATURES.split(",") if part.strip().startswith("+")}
    if config.CPU_NAME:  # NUMBA_CPU_NAME=generic: what that processor can do is not ours to guess
        return set()
    return {name for name, present in llvm.get_host_cpu_features().items() if present}


def available(machine: str, has: set[str]) -> list[str]:
    """The targets a processor can run, best first. ``machine``: as ``platform.machine()`` says it."""
    found = []
    if machine.lower() in ("x86_64", "amd64") and "avx2" in has:
        vnni = "avxvnni" in has or {"avx512vnni", "avx512vl"} <= has
        found = ["x86-vnni", "x86-avx2"] if vnni else ["x86-avx2"]
    elif machine.lower() in ("aarch64", "arm64") and "dotprod" in has:
        found = ["arm-dot"]
    return [*found, "generic"]


def choose(wanted: str, possible: list[str]) -> str | None:
    """The target of this process: None where the plain loops are to be used.

    Raises ValueError for a name that is unknown, or that this processor cannot run.
    """
    if wanted == "0":
        return None
    if wanted in ("", "1"):
        return possible[0]
    if wanted not in possible:
        raise ValueError(f"MINQUANT_SIMD={wanted}: this processor has {', '.join(possible)} (and 0, the plain loops)")
    return wanted


def _target() -> str | None:
    if config.DISABLE_JIT:
        return None
    return choose(os.environ.get("MINQUANT_SIMD", ""), available(platform.machine(), features()))


TARGET = _target()
# Attention works on vectors of as many float32 as a register holds.
FLOAT_LANES = 16 if TARGET == "x86-vnni" and "avx512f" in features() else 8
