"""What the code must look like, read from its syntax trees. Each rule is shown to catch a breach.

A size that is over its limit in somebody's package shows as an expected failure that names it: whoever keeps the
package shortens it or gives a reason in EXCEPTIONS.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("model", "config", "classifier", "store", "mta", "tracker", "console", "yamabiko")
MAX_MODULE_LINES = 400
MAX_FUNCTION_LINES = 50
#: ``path`` or ``path:function`` -> why it may be longer.
EXCEPTIONS: dict[str, str] = {}
#: Modules of the pure packages that may read files, and why.
IMPURE = {
    "classifier/rulefile.py": "rules come from files",
    "classifier/reload.py": "looks whether those files changed",
}

_UNSAFE_FLAGS = frozenset({"sync", "metasync", "writemap", "map_async", "lock"})
_IMPURE_MODULES = frozenset({"asyncio", "socket", "os", "time", "random", "secrets", "subprocess", "threading"})
_RUNNING_MODULES = frozenset({"pickle", "marshal", "shelve", "dill", "yaml"})
_RUNNING_CALLS = frozenset({"eval", "exec", "compile", "__import__"})
#: Their answer says whether anything was written (M27).
_CHECKED = frozenset({"put", "putmulti"})

Rule = Callable[[ast.AST], list[str]]


def modules(package: str) -> Iterator[tuple[str, ast.Module, int]]:
    for path in sorted((ROOT / package).rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        yield str(path.relative_to(ROOT)), ast.parse(text), len(text.splitlines())


def imported(tree: ast.AST) -> set[str]:
    """The full names of the modules a tree imports."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            found.add(node.module)
    return found


def tops(tree: ast.AST) -> set[str]:
    return {name.partition(".")[0] for name in imported(tree)}


def unsafe_flags(tree: ast.AST) -> list[str]:
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [
        f"line {call.lineno}: {keyword.arg}="
        for call in calls
        for keyword in call.keywords
        if keyword.arg in _UNSAFE_FLAGS
    ]


def unchecked_puts(tree: ast.AST) -> list[str]:
    """Calls of ``put`` whose answer nobody looks at: LMDB says there that it dropped what it was given (M27)."""
    statements = [node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)]
    return [
        f"line {call.lineno}: {call.func.attr}() without a look at its answer"
        for call in statements
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in _CHECKED
    ]


def impurities(tree: ast.AST) -> list[str]:
    found = sorted(_IMPURE_MODULES & tops(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            if name in ("open", "read_text", "read_bytes", "write_text", "write_bytes", "now", "today"):
                found.append(f"line {node.lineno}: {name}()")
    return found


def not_standard(tree: ast.AST) -> list[str]:
    return sorted(tops(tree) - sys.stdlib_module_names - {"model"})


def runs_data(tree: ast.AST) -> list[str]:
    """What makes code, or objects with code of theirs, of data (T22)."""
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    called = {func.id for func in calls if isinstance(func, ast.Name)}
    return sorted((_RUNNING_MODULES & tops(tree)) | (_RUNNING_CALLS & called))


def long_functions(tree: ast.AST) -> list[tuple[str, int]]:
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    sizes = [(node.name, (node.end_lineno or node.lineno) - node.lineno + 1) for node in functions]
    return [(name, size) for name, size in sizes if size > MAX_FUNCTION_LINES]


@pytest.mark.parametrize(
    ("rule", "breach"),
    [
        (unsafe_flags, "lmdb.open(p, sync=False)"),
        (unsafe_flags, "lmdb.open(p, metasync=False)"),
        (unsafe_flags, "lmdb.open(p, writemap=True, map_async=True)"),
        (unchecked_puts, "def f(txn):\n    txn.put(b'', b'')"),
        (unchecked_puts, "def f(cursor):\n    cursor.putmulti([], append=True)"),
        (impurities, "import os.path"),
        (impurities, "from time import monotonic"),
        (impurities, "def f(path):\n    return open(path)"),
        (impurities, "def f():\n    return datetime.now()"),
        (not_standard, "import msgpack"),
        (not_standard, "from store.keys import LOG"),
        (runs_data, "import pickle"),
        (runs_data, "from marshal import loads"),
        (runs_data, "def f(x):\n    return eval(x)"),
        (runs_data, "exec('1')"),
        (runs_data, "import yaml\nyaml.load('x')"),
        (long_functions, "def f():\n" + "    pass\n" * 51),
    ],
)
def test_every_rule_catches_a_breach(rule: Rule, breach: str) -> None:
    assert rule(ast.parse(breach))


def test_the_packages_are_all_there_are() -> None:
    found = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "bench", "fuzz", "agents"}
    assert found == set(PACKAGES)


def test_the_store_is_never_opened_in_a_mode_that_loses() -> None:
    """D1, M20, M22."""
    assert {name: bad for name, tree, _ in modules("store") if (bad := unsafe_flags(tree))} == {}


def test_nothing_is_put_without_a_look_at_the_answer() -> None:
    """D10, M27."""
    assert {name: bad for name, tree, _ in modules("store") if (bad := unchecked_puts(tree))} == {}


def test_nothing_that_comes_from_outside_can_be_run() -> None:
    """T22. The process that stores lists is one of our own, and speaks over a socket pair that nobody else has."""
    found = {name: bad for package in PACKAGES for name, tree, _ in modules(package) if (bad := runs_data(tree))}
    assert set(found) == {"store/list_process.py"}
    assert set(found["store/list_process.py"]) == {"pickle"}


def test_only_one_module_knows_lmdb() -> None:
    knowing = {name for package in PACKAGES for name, tree, _ in modules(package) if "lmdb" in tops(tree)}
    assert knowing == {"store/environment.py"}


def test_the_model_needs_the_standard_library_only() -> None:
    assert {name: bad for name, tree, _ in modules("model") if (bad := not_standard(tree))} == {}


@pytest.mark.parametrize("package", ["model", "classifier"])
def test_pure_packages_do_no_input_or_output(package: str) -> None:
    found = {name: bad for name, tree, _ in modules(package) if name not in IMPURE and (bad := impurities(tree))}
    assert found == {}


def test_modules_said_to_be_impure_are() -> None:
    assert all(impurities(ast.parse((ROOT / name).read_text("utf-8"))) for name in IMPURE)


@pytest.mark.parametrize("package", PACKAGES)
def test_modules_and_functions_are_short(package: str) -> None:
    over = []
    for name, tree, lines in modules(package):
        if lines > MAX_MODULE_LINES and name not in EXCEPTIONS:
            over.append(f"{name}: {lines} lines")
        over += [f"{name}:{f}: {n} lines" for f, n in long_functions(tree) if f"{name}:{f}" not in EXCEPTIONS]
    assert over == []


def test_exceptions_are_still_needed() -> None:
    for place, reason in EXCEPTIONS.items():
        path, _, function = place.partition(":")
        text = (ROOT / path).read_text(encoding="utf-8")
        sizes = dict(long_functions(ast.parse(text)))
        assert reason
        assert function in sizes if function else len(text.splitlines()) > MAX_MODULE_LINES, place
