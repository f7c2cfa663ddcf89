"""Which vector instructions are chosen, and that every form of them is one this processor's compiler knows."""

from __future__ import annotations

import llvmlite.binding as llvm
import pytest
from llvmlite import ir

from minquant.kernels import targets, vector_bytes


@pytest.mark.parametrize("machine, has, expected", [
    ("x86_64", {"avx2", "avx512vnni", "avx512vl"}, ["x86-vnni", "x86-avx2", "generic"]),
    ("AMD64", {"avx2", "avxvnni"}, ["x86-vnni", "x86-avx2", "generic"]),
    ("x86_64", {"avx2", "avx512vnni"}, ["x86-avx2", "generic"]),
    ("x86_64", {"sse2"}, ["generic"]),
    ("arm64", {"dotprod"}, ["arm-dot", "generic"]),
    ("aarch64", set(), ["generic"]),
    ("riscv64", {"avx2"}, ["generic"]),
])
def test_what_a_processor_can_run(machine, has, expected):
    assert targets.available(machine, has) == expected


def test_the_best_is_chosen_unless_one_is_named():
    possible = ["x86-avx2", "generic"]
    assert targets.choose("", possible) == targets.choose("1", possible) == "x86-avx2"
    assert targets.choose("generic", possible) == "generic"
    assert targets.choose("0", possible) is None


@pytest.mark.parametrize("wanted", ("x86-vnni", "sse9"))
def test_a_target_this_processor_lacks_is_refused(wanted):
    with pytest.raises(ValueError, match=f"MINQUANT_SIMD={wanted}: this processor has x86-avx2, generic"):
        targets.choose(wanted, ["x86-avx2", "generic"])


def assembly(target, signed, triple, cpu):
    """What LLVM makes of one ``dot4``, for a processor that need not be this one."""
    module = ir.Module()
    codes = ir.VectorType(ir.IntType(8), 32)
    function = ir.Function(module, ir.FunctionType(ir.VectorType(ir.IntType(32), 8), [codes, codes]), "dot")
    builder = ir.IRBuilder(function.append_basic_block())
    build = vector_bytes._dot4_signed if signed else vector_bytes.dot4_of
    builder.ret(build(builder, target, *function.args))
    parsed = llvm.parse_assembly(str(module))
    parsed.triple = triple
    return llvm.Target.from_triple(triple).create_target_machine(cpu=cpu, opt=2).emit_assembly(parsed)


@pytest.mark.parametrize("signed", (False, True))
@pytest.mark.parametrize("target, triple, cpu, instruction", [
    ("x86-vnni", "x86_64-linux-gnu", "znver4", "vpdpbusd"), ("x86-vnni", "x86_64-linux-gnu", "alderlake", "vpdpbusd"),
    ("x86-avx2", "x86_64-linux-gnu", "haswell", "vpmaddubsw"), ("arm-dot", "aarch64-linux-gnu", "neoverse-n1", "sdot"),
    ("generic", "x86_64-linux-gnu", "x86-64", "pmaddwd"), ("generic", "aarch64-linux-gnu", "generic", "mul"),
])
def test_every_target_compiles_to_its_instruction(target, triple, cpu, instruction, signed):
    """Code for processors nobody tests on: at least it is the instruction meant."""
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    try:
        llvm.Target.from_triple(triple)
    except RuntimeError:
        pytest.skip(f"this LLVM knows no {triple}")
    assert instruction in assembly(target, signed, triple, cpu)
