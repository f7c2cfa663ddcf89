"""The shape of the package: imports point down, `import minquant` is light, everything public says what it does."""

from __future__ import annotations

import ast
import inspect
import json
import operator
import subprocess
import sys
from functools import cache
from graphlib import CycleError, TopologicalSorter
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "minquant"

# Lowest first. A part may import parts of lower floors and nothing else of ours.
FLOORS = [
    {"_paths", "_container"},
    {"formats", "packing", "kernels"},
    {"scaling"},
    {"methods"},
    {"model"},
    {"evaluation", "training", "interop", "decoder"},
    {"benchmark"},
    {"teaching"},
    {"cli"},
    {"__main__", "__init__"},
]
FLOOR_OF = {part: height for height, parts in enumerate(FLOORS) for part in parts}
GROUND = FLOORS[1]
ROOF = {"teaching", "cli", "__main__"}
MAY_IMPORT_NUMBA = {"kernels", "decoder", "benchmark"}
NOT_BELOW_THE_ROOF = {"matplotlib", "IPython", "ipywidgets", "ipykernel", "jupyterlab", "notebook", "nbformat", "nbclient",
                      "traitlets"}
MOST_LINES = 300


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def modules() -> dict[str, Path]:
    """Dotted name, without the leading `minquant.`, of every module -> file; packages under `name.__init__`."""
    files = sorted(p for p in PACKAGE.rglob("*.py") if not {"_data", "_lessons"} & set(p.relative_to(PACKAGE).parts))
    return {".".join(p.relative_to(PACKAGE).with_suffix("").parts): p for p in files}


MODULES = modules()


def part_of(module: str) -> str:
    return module.split(".")[0]


def find(dotted: str) -> str | None:
    """Name under which MODULES holds `dotted`, a module or a package."""
    return next((n for n in (dotted, f"{dotted}.__init__".lstrip(".")) if n in MODULES), None)


def resolve(module: str, node: ast.ImportFrom) -> str | None:
    """What a `from X import ...` names, relative to minquant; None where it is not ours."""
    if node.level == 0:
        head, _, rest = (node.module or "").partition(".")
        return rest if head == "minquant" else None
    base = module.split(".")[: -node.level]
    return ".".join([*base, *(node.module.split(".") if node.module else [])])


def imports(module: str, body: ast.AST) -> tuple[set[str], set[str]]:
    """(our modules, top-level names of others) imported under a node of the syntax tree."""
    import minquant

    ours, others = set(), set()
    for node in ast.walk(body):
        if isinstance(node, ast.Import):
            for alias in node.names:
                head, _, rest = alias.name.partition(".")
                (ours if head == "minquant" else others).add((find(rest) or "__init__") if head == "minquant" else head)
        elif isinstance(node, ast.ImportFrom):
            source = resolve(module, node)
            if source is None:
                others.add(node.module.split(".")[0])
                continue
            for alias in node.names:
                if source == "" and alias.name == "__version__":
                    continue  # a plain string: importing it pulls in nothing
                if source == "":
                    named = minquant._NAMES.get(alias.name, alias.name if alias.name in FLOOR_OF else "__init__")
                    ours.add(find(named) or named)
                else:
                    ours.add(find(f"{source}.{alias.name}") or find(source) or source)
    return ours - {module}, others


def at_import_time(module: ast.Module) -> ast.Module:
    """The tree without function bodies: what runs when the module is imported."""

    class Cut(ast.NodeTransformer):
        def visit_FunctionDef(self, node):  # noqa: N802 (the name is ast's)
            return None

        visit_AsyncFunctionDef = visit_Lambda = visit_FunctionDef

    return Cut().visit(ast.parse(ast.unparse(module)))


def upward(module: str, body: ast.AST) -> list[str]:
    """Imports of one module that do not point down, in words."""
    here = part_of(module)
    targets = {part_of(target) for target in imports(module, body)[0]} - {here}
    return [f"{module} imports {t}" for t in sorted(targets)
            if FLOOR_OF[t] >= FLOOR_OF[here] or (here in GROUND and t not in FLOORS[0])]


@pytest.mark.parametrize("module", sorted(MODULES))
def test_imports_point_down(module):
    assert part_of(module) in FLOOR_OF, f"{module}: give the new part a floor in FLOORS"
    if module != "__init__":
        assert upward(module, tree(MODULES[module])) == []


@pytest.mark.parametrize("planted, seen", [
    ("from ..model import Transformer", ["formats.x imports model"]),
    ("from ..scaling.scheme import Scheme", ["formats.x imports scaling"]),
    ("def f():\n    from minquant import decoder", ["formats.x imports decoder"]),
    ("import minquant as mq", ["formats.x imports __init__"]),
    ("from ..packing import pack_bits", ["formats.x imports packing"]),
    ("from .._paths import data_dir\nfrom .get import get\nimport numpy", []),
])
def test_an_import_that_points_up_would_be_seen(planted, seen):
    assert upward("formats.x", ast.parse(planted)) == seen


def test_no_cycle_between_files():
    graph = {name: imports(name, at_import_time(tree(path)))[0] for name, path in MODULES.items()}
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail("these files import each other in a circle: " + " <- ".join(error.args[1]))


@pytest.mark.parametrize("module", sorted(MODULES))
def test_heavy_imports_stay_where_they_belong(module):
    ours, others = imports(module, tree(MODULES[module]))
    here = part_of(module)
    if here not in MAY_IMPORT_NUMBA:
        assert not others & {"numba", "llvmlite"}, f"{module} imports Numba"
    if here not in ROOF:
        assert not others & NOT_BELOW_THE_ROOF, f"{module} imports {others & NOT_BELOW_THE_ROOF}"
    if here not in MAY_IMPORT_NUMBA | ROOF | {"__init__"}:
        assert not {part_of(o) for o in ours} & {"kernels", "decoder"}, f"{module} would load Numba"


def public_definitions(body: ast.AST, prefix: str = "") -> list[tuple[str, ast.AST]]:
    """Public functions and classes of a module with their public methods; nested functions are nobody's business."""
    found = []
    for node in ast.iter_child_nodes(body):
        if isinstance(node, (ast.If, ast.Try)):
            found += public_definitions(node, prefix)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
            if any(getattr(d, "attr", "") in ("setter", "deleter") for d in node.decorator_list):
                continue
            found.append((prefix + node.name, node))
            if isinstance(node, ast.ClassDef):
                found += public_definitions(node, f"{prefix}{node.name}.")
    return found


def inherited_docstring(module: str, name: str) -> str | None:
    """What help() shows for a method that overrides a documented one."""
    if "." not in name:
        return None
    owner, method = name.rsplit(".", 1)
    found = operator.attrgetter(owner)(import_module(f"minquant.{module}".removesuffix(".__init__")))
    return inspect.getdoc(inspect.getattr_static(found, method))


@pytest.mark.parametrize("module", sorted(MODULES))
def test_everything_public_has_a_docstring(module):
    body = tree(MODULES[module])
    bare = [name for name, node in [("the module itself", body), *public_definitions(body)]
            if not ast.get_docstring(node) and not inherited_docstring(module, name)]
    assert not bare, f"{module}: no docstring on {', '.join(bare)}"


@pytest.mark.parametrize("module", sorted(MODULES))
def test_files_stay_short_enough_to_read(module):
    lines = len(MODULES[module].read_text(encoding="utf-8").splitlines())
    assert lines <= MOST_LINES, f"{module} has {lines} lines"


def test_every_lazy_name_is_there():
    import minquant

    missing = []
    for name in minquant.__all__:
        try:
            getattr(minquant, name)
        except (ImportError, AttributeError) as error:
            missing.append(f"{name}: {error}")
    assert not missing, "\n".join(missing)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        minquant.nonsense


def fresh(code: str) -> str:
    """Output of a new interpreter."""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


LOADED = "import json, sys; print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
HEAVY = {"numba", "llvmlite", "matplotlib", "ipywidgets", "IPython", "jupyterlab", "torch", "safetensors"}


def test_import_minquant_loads_nothing_heavy():
    assert not set(json.loads(fresh(f"import minquant; {LOADED}"))) & HEAVY


def test_quantizing_a_matrix_loads_no_numba_and_no_jupyter():
    code = "import numpy as np, minquant as mq; mq.quantize(np.eye(32, dtype=np.float32), 'int4:g32'); "
    assert not set(json.loads(fresh(code + LOADED))) & HEAVY


def test_import_minquant_is_quick():
    """The promise is 0.3 s over NumPy; some 10 ms are usual, so the bound holds on a busy machine too."""
    code = ("import time, numpy; start = time.perf_counter(); import minquant; "
            "print(time.perf_counter() - start)")
    assert min(float(fresh(code)) for _ in range(3)) < 0.3
