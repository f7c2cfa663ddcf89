"""Only the matrices of a token: what a decode step would cost if nothing happened between them.

The same products as ``step.decode_step``, in the same order, over the same packed bytes and with the same launches, but
of inputs that lie ready: no norms, no rotation, no attention, no activation function, and no rounding of activations
to 8 bits. The difference to a whole step is what a token costs outside its weights (``benchmark/outside.py``).
"""

from __future__ import annotations

from ._cache import jit
from .inputs import prepare, take
from .matvec import matvec


@jit
def prepare_inputs(scratch):
    """Once before ``matrices_only``: what follows from the values of the longest input."""
    prepare(scratch.input)


@jit
def matrices_only(logits, weights, scratch, attended_width):
    """Every matrix of a token times an input; logits (vocabulary,) float32 and the scratch arrays are overwritten.

    attended_width: heads * head size.
    """
    w, s = weights, scratch
    hidden, attended = take(s.input, s.hidden.size), take(s.input, attended_width)
    inner = take(s.input, s.gate_up.shape[1])
    for layer in range(w.attention_norm.shape[0]):
        matvec(s.qkv.reshape(s.qkv.size), w.qkv, layer, hidden, s.room)
        matvec(s.projected, w.output, layer, attended, s.room)
        matvec(s.gate_up.reshape(s.gate_up.size), w.gate_up, layer, hidden, s.room)
        matvec(s.projected, w.down, layer, inner, s.room)
    matvec(logits, w.head, 0, hidden, s.room)
