"""The museums of planted bugs: right programs are right, broken ones are broken, and the judge is no easier to please."""

from __future__ import annotations

import re

import numpy as np
import pytest

from minquant import formats, methods
from minquant.teaching.exercises import checking, source
from minquant.teaching.exercises.e02_number_formats import layout
from minquant.teaching.exercises.e02_number_formats import museum as encoders
from minquant.teaching.exercises.e03_affine_grids import museum as quantizers
from minquant.teaching.exercises.e04_scales_and_clipping import museum as searches
from minquant.teaching.exercises.e05_bit_packing import museum as packers
from minquant.teaching.exercises.e08_repairing_rounding import museum as columns
from minquant.teaching.exercises.source import Miss

KEYS = [f"key{n}" for n in range(8)]
HALLS = {"02.6": encoders, "03.6": quantizers, "04.6": searches, "05.7": packers, "08.6": columns}
EVERY_HALL = pytest.mark.parametrize("id", HALLS)
EXERCISE = source.exercise("03.6")
BUGS = [(room.name, name, bug) for room in quantizers.ROOMS for name, bug in room.bugs.items()]


def names(body, key="course", id="03.6"):
    found: dict = {}
    exec(source.exercise_set(id[:2]).setup, found)
    exec(source.exercise(id).code(body, key), found)
    return found


@EVERY_HALL
@pytest.mark.parametrize("key", KEYS)
def test_the_reference_catches_every_bug_under_any_key(id, key):
    exercise = source.exercise(id)
    answers = checking.Local(names(exercise.reference, key, id))
    caught = HALLS[id].MUSEUM.caught(exercise.drawn(key), answers)
    assert caught == {room.name: set(room.bugs) for room in HALLS[id].ROOMS}


@EVERY_HALL
@pytest.mark.parametrize("key", KEYS[:3])
def test_every_bug_shows_and_not_everywhere(id, key):
    """A bug that always shows tests nobody; here: input by input, against what both right programs gave."""
    museum, spec, made = HALLS[id].MUSEUM, source.exercise(id).drawn(key), names(source.exercise(id).reference, key, id)
    given = [museum.read(spec, list(one) if isinstance(one, tuple) else one) for one in made["inputs"]()]
    light, always = easy(id, spec), 0
    for room in museum.rooms:
        for name, bug in room.bugs.items():
            assert not all(made["accepts"](*one, *bug(spec, *one)) for one in given), f"{name} never shows"
            always += not any(made["accepts"](*one, *bug(spec, *one)) for one in light)
    assert always <= sum(len(room.bugs) for room in museum.rooms) // 3


def easy(id, spec):
    """Inputs at which few bugs show."""
    if id == "08.6":
        return [(np.full((1, spec["group"]), size), np.eye(spec["group"])) for size in (0.5, 1.0)]
    if id == "05.7":
        return [(np.full(16, code, np.int64),) for code in (0, 1, -1, -spec["half"])] + [(np.zeros(1, np.int64),)]
    if id == "04.6":
        return [(np.full(spec["group"], 1.0),)]
    return [(np.array([1.0]),)] if id == "02.6" else [(np.zeros(8), 1.0)]


@EVERY_HALL
def test_a_test_that_counts_its_calls_or_remembers_catches_nothing(id):
    """Right programs once ran first, and each room by itself: then both of these had most of the points."""
    exercise = source.exercise(id)
    tried = names(exercise.reference, id=id)["inputs"]
    for most in (2 * len(tried()), 4):
        calls: list = []
        answers = {"inputs": tried, "accepts": lambda *a, calls=calls, most=most: calls.append(0) or len(calls) <= most}
        assert sum(o.earned for o in checking.run_checks(exercise, checking.Local(answers))) == 0
    times, seen = [], set()

    def inputs():
        times.append(0)
        return tried()

    def accepts(*all_of):
        output = repr(all_of)
        if len(times) == 1:
            seen.add(output)
        return output in seen

    assert sum(o.earned for o in checking.run_checks(exercise, checking.Local({"inputs": inputs, "accepts": accepts}))) == 0
    assert len(times) == 1, "all rooms are judged together"


@EVERY_HALL
def test_the_same_test_catches_the_same_in_any_order_of_its_inputs(id):
    exercise = source.exercise(id)
    found = names(exercise.wrong[-3].body, id=id)
    turned = found | {"inputs": lambda: found["inputs"]()[::-1]}
    one, other, again = ([o.earned for o in checking.run_checks(exercise, checking.Local(n))] for n in (found, turned, found))
    assert one == other == again and 0 < sum(one) < exercise.points


@EVERY_HALL
def test_the_prose_says_how_many_there_are_and_the_right_ones_differ(id):
    exercise, museum = source.exercise(id), HALLS[id].MUSEUM
    planted = sum(len(room.bugs) for room in museum.rooms)
    assert f"{ {10: 'Ten', 12: 'Twelve'}[planted]} " in exercise.prose and "two are right" in exercise.prose
    bodies = [w for w in exercise.wrong if w.loses == 8]
    assert len(bodies) >= 3, "false alarms are among the wrong answers"
    shown = exercise.show(exercise.drawn(), checking.Local(names(exercise.reference, id=id)))
    assert [row[1:] for row in shown.rows] == [(float(len(room.bugs)),) * 2 for room in museum.rooms]
    assert {row[1] for row in exercise.show(exercise.drawn(), checking.Local({})).rows} == {None}


@EVERY_HALL
def test_long_names_of_rooms_do_not_run_into_the_bars(id):
    shown = source.exercise(id).show(source.exercise(id).drawn(), checking.Local({}))
    starts = {float(x) for x in re.findall(r'<rect x="([\d.]+)"[^>]*fill="#', shown.svg())} - {0.0}
    assert len(starts) == 1 and min(starts) >= 8 + 6.5 * max(len(label) for label, *_ in shown.rows)


@pytest.mark.parametrize("id, body, said", [
    *[("03.6", body, said) for body, said in (
        ("return []", "a list of 1 to 50"), ("return [3]", "not a pair"), ("return [(3, 1.0)]", "no input of these"),
        ("return [([], 1.0)]", "no input of these"), ("return [([float('nan')], 1.0)]", "no input of these"),
        ("return [([1.0], -1.0)]", "no input of these"), ("return [([1.0], 1e-9)]", "amax is 1e-09"),
        ("return [([1.0], 0)]", "amax is 0"), ("return [(['a'], 1.0)]", "no input of these"),
        ("return [([1.0], 1.0)] * 51", "a list of 1 to 50"), ("return [([0.0] * 20_001, 1.0)]", "no input of these"),
        ("return 'x'", "a list of 1 to 50"))],
    ("02.6", "return ['x']", "no input of these"), ("02.6", "return [[[1.0]]]", "no input of these"),
    ("04.6", "return [[float('inf')]]", "no input of these"), ("04.6", "return [[1e-4]]", "very small or very large"),
    ("05.7", "return [[0.5]]", "no input of these"), ("05.7", "return [[99]]", "no input of these"),
    ("08.6", "return [3]", "not a pair"), ("08.6", "return [([[1.0]], [[1.0, 2.0]])]", "no input of these"),
    ("08.6", "return [([[1e5] * 12], [[1.0] * 12])]", "very small or very large"),
    ("08.6", "return [([[1.0] * 48], [[1.0] * 48])]", "no input of these")])
def test_inputs_that_are_none_are_refused_in_words(id, body, said):
    answers = checking.Local(names(f"def inputs():\n    {body}\n\n\ndef accepts(*a):\n    return True", id=id))
    found = checking.run_checks(source.exercise(id), answers)
    assert all(outcome.earned == 0 and said in " ".join(outcome.lines) for outcome in found)


def test_a_test_is_told_which_right_program_it_refuses_by_the_input_and_nothing_more():
    body = EXERCISE.reference.replace("< 0.5001", "< 0.3")
    found = checking.run_checks(EXERCISE, checking.Local(names(body)))
    assert {outcome.lines[0] for outcome in found} == {"your test refuses a right program, at input number 0 (from 0)"}


def test_yes_is_not_true():
    with pytest.raises(Miss, match="returned 1"):
        quantizers.MUSEUM._accepts(checking.Local({"accepts": lambda *a: 1}), (np.zeros(1), 0.0), (np.zeros(1), 1.0))


# The programs of each hall against somebody else's.

@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("program", quantizers.MUSEUM.right)
def test_right_quantizers_take_a_nearest_code_of_the_stored_grid(program, key):
    spec = EXERCISE.drawn(key)
    half = 2 ** (spec["bits"] - 1)
    stored = range(-half + (spec["rule"] == "restricted"), half)
    for amax in (0.013, 1.0, 7.7):
        x = np.linspace(-2 * amax, 2 * amax, 301)
        codes, scale = program(spec, x, amax)
        steps = {"restricted": half - 1, "halves": half - 0.5, "full": half}[spec["rule"]]
        assert scale == float(np.float16(amax / steps)) == np.float16(scale)
        values = scale * np.array(stored)
        for value, code in zip(x, codes - spec["shift"], strict=True):
            assert code in stored and abs(scale * code - value) <= np.abs(values - value).min() + 1e-12
    codes, scale = program(spec, np.zeros(3), 0.0)
    assert scale == 1 and set(codes.tolist()) == {spec["shift"]}


def test_the_right_quantizers_differ_in_half_way_cases_and_nowhere_else():
    spec = EXERCISE.drawn("course")
    scale = float(np.float16(1 / spec["divisor"]))
    x = np.arange(-4, 4.5, 0.25) * scale
    one, other = (program(spec, x, 1.0)[0] for program in quantizers.MUSEUM.right)
    assert set((x / scale % 1)[one != other]) == {0.5}


@pytest.mark.parametrize("key", KEYS)
def test_the_right_encoders_agree_with_the_exact_layout_but_for_nan(key):
    spec = source.exercise("02.6").drawn(key)
    sizes = [layout.between(spec, code, share) for code in range(spec["infinity"] + 2) for share in (0, 0.25, 0.5, 0.51)]
    want = np.array([min(layout.nearest(spec, size), spec["limit"]) for size in sizes])
    for program in encoders.MUSEUM.right:
        x = np.array([*sizes, np.inf, np.nan, 1e300, 5e-324])
        (codes,), (minus,) = program(spec, x), program(spec, -x)
        assert (codes[:-4] == want).all() and codes[-4] == spec["infinity"] and codes[-2:].tolist() == [spec["limit"], 0]
        assert (minus == codes + spec["sign_bit"])[~np.isnan(x)].all()
        assert (np.array([codes[-3], minus[-3]]) % spec["sign_bit"] > spec["infinity"]).all()


def test_e5m2_is_such_a_format():
    E, M = 5, 2
    spec = {"E": E, "M": M, "bias": 15, "infinity": 124, "limit": 123} | layout.names({"E": E, "M": M, "bias": 15})
    x = np.random.default_rng(0).normal(size=4000).astype(np.float32) * np.float32(2.0) ** np.arange(-20, 20).repeat(100)
    assert encoders.keeps_the_sign(spec, x.astype(np.float64))[0].tolist() == formats.get("fp8_e5m2").encode(x).tolist()


@pytest.mark.parametrize("key", KEYS)
def test_the_right_searches_reach_what_trying_everything_reaches(key):
    spec = source.exercise("04.6").drawn(key)
    x = np.random.default_rng(1).laplace(size=19 * spec["group"] + 1).round(3)
    worse = 0
    for program in searches.MUSEUM.right:
        scales, codes = program(spec, x)
        assert len(scales) == 20 and codes.dtype == np.int64 and abs(codes).max() <= spec["highest"]
        for n, scale in enumerate(scales):
            part = slice(n * spec["group"], (n + 1) * spec["group"])
            got = (abs(scale * codes[part] - x[part]) ** spec["power"]).sum()
            for turn in range(spec["count"]):
                tried = (1 - turn * spec["percent"] / 100) * abs(x[part]).max() / spec["highest"]
                nearest = [min(max(round(v / tried), -spec["highest"]), spec["highest"]) for v in x[part].tolist()]
                cost = (abs(tried * np.array(nearest) - x[part]) ** spec["power"]).sum()
                assert got <= cost + 1e-9
                worse += cost > got * 1.01
    assert worse > 20 and searches.MUSEUM.right[0](spec, x)[0].tolist() != searches.MUSEUM.right[1](spec, x)[0].tolist()


@pytest.mark.parametrize("key", KEYS)
def test_the_right_packers_write_one_bit_after_the_other(key):
    spec = source.exercise("05.7").drawn(key)
    codes = np.random.default_rng(2).integers(-spec["half"], spec["half"], 13)
    text = ""
    for code in codes.tolist():
        digits = f"{code + spec['half'] if spec['offset'] else code % (2 * spec['half']):0{spec['bits']}b}"
        text += digits[::-1] if spec["low_first"] else digits
    for program, left in zip(packers.MUSEUM.right, "01", strict=True):
        packed, back = program(spec, codes)
        whole = text + left * (-len(text) % 8)
        want = [whole[i:i + 8] for i in range(0, len(whole), 8)]
        assert packed.tolist() == [int(w[::-1] if spec["low_byte"] else w, 2) for w in want] and back.tolist() == codes.tolist()
        assert packed.dtype == np.uint8


@pytest.mark.parametrize("key", KEYS)
def test_the_right_gptqs_are_that_of_the_package_with_its_rules(key):
    """Left to right; the package keeps group scales as float16, which changes no code of these weights."""
    spec = source.exercise("08.6").drawn(key) | {"forward": True}
    rng, n = np.random.default_rng(3), 4 * spec["group"]
    W, X = rng.normal(size=(5, n)).astype(np.float32), rng.normal(size=(40, n)) @ (np.eye(n) + 0.4)
    bits = {3: 3, 7: 4}[spec["highest"]]
    want = methods.gptq_from_hessian(W, X.T @ X, f"int{bits}:g{spec['group']}", damp=spec["damp"] / 100)
    for program in columns.MUSEUM.right:
        scales, codes, loss = program(spec, W.astype(np.float64), X)
        assert (codes == want.codes).mean() > 0.97, "a scale rounded to float16 may move a code now and then"
        same = codes == want.codes
        assert np.allclose((scales.repeat(spec["group"], axis=1) * codes)[same], want.dequantize()[same], rtol=5e-3)
    one, other = (program(spec, W.astype(np.float64), X) for program in columns.MUSEUM.right)
    assert (one[1] == other[1]).all() and np.allclose(one[0], other[0], rtol=1e-9) and np.isclose(one[2], other[2], rtol=1e-9)


@pytest.mark.parametrize("answer", ["reference", "second"])
def test_a_right_test_of_gptq_rings_at_no_odd_input(answer):
    """Where codes are exact, what is handed on is rounding of float64: then no scale may be made of it."""
    exercise = source.exercise("08.6")
    for key in KEYS[:4]:
        spec = exercise.drawn(key)
        accepts, n, rng = names(getattr(exercise, answer), key, "08.6")["accepts"], 4 * spec["group"], np.random.default_rng(0)
        inputs = np.eye(n), np.ones((3, n)), np.zeros((2, n)), rng.normal(size=(4, n)).round(2)
        for W in (np.eye(n), np.zeros((2, n)), 0.9 * (rng.random((3, n)) < 0.3), 0.9 * (np.arange(n) < spec["group"])[None]):
            assert all(accepts(W, X, *program(spec, W, X)) for X in inputs for program in columns.MUSEUM.right)
