"""What does a format buy? Bytes, tokens per second, and the share of what this machine's memory can deliver.

    machine.py       what this machine is
    container.py     what a container allows of it
    bandwidth.py     read_bandwidth: the speed of light
    decode.py        measure_decode: tokens per second of packed models, formats in alternation
    outside.py       outside_matrices_ms: what a token costs outside its weight matrices
    versus.py        versus: our decoder beside llama.cpp's, on the GGUF file that random_gguf.py writes
    batch.py         batch_sweep: one pass over the weights for 1 to 32 vectors
    unpacking.py     unpacking_speed: every packing layout in GB/s, beside the read bandwidth
    ladder.py        ladder: size, speed and quality of every precision level in one table
    statistics.py    medians and spreads

Every function returns rows, plain dictionaries that go into JSON as they are. Kernels are imported when something is
measured, so importing this package loads no compiler.
"""

from .bandwidth import read_bandwidth
from .batch import batch_sweep
from .container import container_limits
from .decode import measure_decode
from .ladder import LadderResult, ladder
from .machine import machine
from .outside import outside_matrices_ms
from .unpacking import unpacking_speed
from .versus import versus

__all__ = ["LadderResult", "batch_sweep", "container_limits", "ladder", "machine", "measure_decode", "outside_matrices_ms",
           "read_bandwidth", "unpacking_speed", "versus"]
