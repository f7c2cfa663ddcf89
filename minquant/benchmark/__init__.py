"""What does a format buy? Bytes, tokens per second, and the share of what this machine's memory can deliver.

    machine.py       what this machine is
    bandwidth.py     read_bandwidth: the speed of light
    decode.py        measure_decode: tokens per second of packed models, formats in alternation
    outside.py       outside_matrices_ms: what a token costs outside its weight matrices; measure_parts: part by part
    versus.py        versus: our decoder beside llama.cpp's, on the GGUF file that random_gguf.py writes
    batch.py         batch_sweep: one pass over the weights for 1 to 32 vectors
    unpacking.py     unpacking_speed: every packing layout in GB/s, beside the read bandwidth
    ladder.py        ladder: size, speed and quality of every precision level in one table
    kernel_ladder.py kernel_ladder: int8 and int4 kernels from NumPy to the vector layer, version by version
    paths.py         matvec_paths: fused, dequantize then multiply, fake quantization; launch_cost: many small launches
    turns.py         time_in_turns: several calls in alternation, the reading loop beside each
    statistics.py    medians and spreads

Every function returns rows, plain dictionaries that go into JSON as they are. Kernels are imported when something is
measured, so importing this package loads no compiler.
"""

from .._container import container_limits
from .bandwidth import read_bandwidth
from .batch import batch_sweep
from .decode import measure_decode
from .kernel_ladder import kernel_ladder
from .ladder import LadderResult, ladder
from .machine import machine
from .outside import measure_parts, outside_matrices_ms
from .paths import bytes_moved, launch_cost, matvec_paths
from .unpacking import unpacking_speed
from .versus import versus

__all__ = ["LadderResult", "batch_sweep", "bytes_moved", "container_limits", "kernel_ladder", "ladder", "launch_cost",
           "machine", "matvec_paths", "measure_decode", "measure_parts", "outside_matrices_ms", "read_bandwidth",
           "unpacking_speed", "versus"]
