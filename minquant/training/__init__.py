"""Training in plain NumPy: what the chain rule has to do with a transformer, and how its weights are moved.

    gradients.py     each part of the model backwards, beside its formula
    backward.py      the whole model: loss, and gradient by every weight
    adamw.py         the optimizer, clipping, the learning rate's rise and fall
    finetune.py      train a model further on a text
    rounding.py      what stands in for the gradient of rounding: straight-through, learned step, ternary
    qat.py           train a model with its rounding

The shipped model was trained by ``tools/train_tiny.py`` (PyTorch, ten times faster, the same gradients). What stands
here is for reading, for fine-tuning, and for training with rounding.
"""

from .adamw import AdamW, clip_gradients, learning_rate
from .backward import batch_logits, loss_and_gradients
from .finetune import History, finetune
from .qat import qat
from .rounding import Rounder, learned_step, rounder, straight_through

__all__ = ["AdamW", "History", "Rounder", "batch_logits", "clip_gradients", "finetune", "learned_step",
           "learning_rate", "loss_and_gradients", "qat", "rounder", "straight_through"]
