"""Training in plain NumPy: what the chain rule has to do with a transformer, and how its weights are moved.

    gradients.py     each part of the model backwards, beside its formula
    backward.py      the whole model: loss, and gradient by every weight
    adamw.py         the optimizer, clipping, the learning rate's rise and fall
    finetune.py      train a model further on a text

The shipped model was trained by ``tools/train_tiny.py`` (PyTorch, ten times faster, the same gradients). What stands
here is for reading, for fine-tuning, and for training with rounding (``through``).
"""

from .adamw import AdamW, clip_gradients, learning_rate
from .backward import loss_and_gradients
from .finetune import History, finetune

__all__ = ["AdamW", "History", "clip_gradients", "finetune", "learning_rate", "loss_and_gradients"]
