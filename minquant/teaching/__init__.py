"""How the course shows things: the roof of the package, used by the lessons.

    widgets.py         explore(draw, **sliders): one drawing function, a few sliders, and a still picture beneath
    svg.py             a small drawing that turns into SVG text
    one_weight.py      the weight of the tiny model that is followed through the course
    bits.py            bits as labelled boxes
    format_stepper.py  the format stepper of lesson 01
    number_grid.py     a grid of codes behind sliders, for lesson 03;  grid_figures.py: its plots
    code_card.py       one code worked out, on number lines;  bit_clicker.py: its bits as buttons, for lesson 02
    byte_inspector.py  bytes as buttons, for lesson 05;  byte_layouts.py: what they hold;  byte_card.py: one drawn
    header_walker.py   a GGUF file, field after field;  packing_pictures.py, packing_figures.py: drawings, plots
    bit_flips.py       one bit of a packed matrix turned over;  misreadings.py: a whole one read by a wrong rule
    racing.py          which of two functions is faster, how much memory one needs, for exercises 06
    path_picker.py     how quantized weights are used, and what the bytes predict, for lesson 06
    kl_heat_map.py     a text coloured by KL, for lesson 07;  who_wrote_it.py: a blind test;  quality_figures.py: plots
    column_steps.py    GPTQ's loop with everything kept, for lesson 08;  column_stepper.py: its steps drawn;
                       repair_pictures.py: arrows, plots
    salient_channel.py one column times s and its neighbours, for lesson 09;  awq_steps.py: AWQ taken apart;
                       salience_figures.py: plots
    exponent_card.py   a block with one exponent on a slider, for lesson 11
    context_card.py    bytes of weights and of cache behind a slider, for lesson 12;  cache_figures.py: plots
    comb.py            weights between the teeth of their grid while they are trained, for lesson 13;
                       qat_figures.py: stored runs
    pictures.py        drawings of ideas;  figures.py: measured points, with matplotlib;  format_figures.py: formats
    sentences.py       sentences made from measurements
    predictions.py     predict(): a number written down before it is measured
    ledger.py          the claim ledger: claim, prediction, measurement, verdict
    class_results.py   claims of many machines, put together without names;  class_figure.py: drawn
    quizzes.py         quiz(): three questions that explain;  questions/: their texts, one file a lesson
    exercises/         specs, variants, checks and grading of the exercises

Names are imported when they are first used, so the command line can reach the
exercises without loading Jupyter.
"""

from importlib import import_module as _import_module

_NAMES = {"explore": "widgets", "show_still": "widgets", "predict": "predictions", "recall": "predictions",
          "compare": "predictions", "stepper": "format_stepper", "format_card": "format_stepper",
          "click_bits": "bit_clicker", "inspect_bytes": "byte_inspector", "walk_header": "header_walker",
          "explore_grid": "number_grid", "pick_path": "path_picker", "blind_test": "who_wrote_it", "quiz": "quizzes",
          "with_spread": "sentences", "decode_line": "sentences", "machine_lines": "sentences"}
_MODULES = ("bits", "exercises", "exponent_card", "figures", "format_figures", "grid_figures", "kl_heat_map", "ledger",
            "one_weight", "packing_figures", "packing_pictures", "pictures", "predictions", "quality_figures", "quizzes",
            "sentences", "svg", "who_wrote_it", "widgets")

__all__ = [*_NAMES, *_MODULES]


def __getattr__(name: str):
    if name in _NAMES:
        return getattr(_import_module(f"{__name__}.{_NAMES[name]}"), name)
    if name in _MODULES:
        return _import_module(f"{__name__}.{name}")
    raise AttributeError(f"module 'minquant.teaching' has no attribute {name!r}")


def __dir__():
    return sorted(set(globals()) | set(__all__))
