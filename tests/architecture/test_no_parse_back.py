"""Nobody takes a rendered sentence apart again: who needs a value reads the field that the sentence was made from.

How this is known, from the syntax trees of the program alone:

- **Writers** are the functions, methods and properties that say they return text (`-> str`, lists and tuples of it) and
  put prose together in their body: an f-string, `.format`, a join, or a constant with a blank in it.
- **Text fields** are the fields and lists that are filled with written text somewhere: by an argument of a class's
  constructor (`Insight(…, f"…")`, `protocol={"decoding": f"…"}`), or by an append (`self.problems.append(f"…")`).
- **Written text** is what a writer returns, what a text field holds, `str(error)` of a caught error, an f-string, and
  whatever a function's local names, loops and calls hand on of it.
- **Taking apart** is a call on written text of a method that looks into it or cuts it (`removesuffix`, `partition`,
  `split`, `startswith`, `replace`, `isdigit`, …), or a call of `re` or of a compiled pattern with it as argument.

Names stand for what they name in the whole program, so a field that is a number in one class and text in another counts
as text: cutting a number is an error anyway. A text that goes through another function's parameter is lost sight of:
renderers escape what they are given, and that is their work.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCANNED = ("medqa_core/evaluation", "medqa_core/report", "pages")
CUTS = {"removesuffix", "removeprefix", "partition", "rpartition", "split", "rsplit", "splitlines", "startswith"} | {
    "endswith", "replace", "find", "rfind", "isdigit", "isnumeric", "isdecimal", "isalpha", "translate"
}  # fmt: skip
PATTERNS = {"search", "match", "fullmatch", "findall", "finditer", "sub", "subn", "split"}
NO_TEXT = {"len", "int", "float", "bool", "any", "all", "sum", "isinstance", "hash", "id", "range", "max", "min"}
"""Calls that make no text of text."""
HANDS_ON: dict[type[ast.AST], tuple[str, ...]] = {
    ast.Subscript: ("value",),
    ast.Starred: ("value",),
    ast.NamedExpr: ("value",),
    ast.BinOp: ("left", "right"),
    ast.BoolOp: ("values",),
    ast.IfExp: ("body", "orelse"),
    ast.List: ("elts",),
    ast.Tuple: ("elts",),
    ast.Dict: ("values",),
    ast.ListComp: ("elt",),
    ast.SetComp: ("elt",),
    ast.GeneratorExp: ("elt",),
    ast.DictComp: ("value",),
}
"""Expressions that are written text, or hold it, where one of these parts is."""
CLEANERS = frozenset({"words", "shorten", "plain"})
"""They only pass on what they are given, which may be a file's text and not ours."""
ALLOWED: dict[tuple[str, str], str] = {
    ("medqa_core/evaluation/controls.py", "_typical"): "an answer of the data, its topic's name masked, cut into words",
    ("medqa_core/report/archive.py", "_wanted"): "names of files, which decide whether a ZIP may hold them",
    ("medqa_core/report/document/quotation.py", "quotation"): "an imported source's own words, tidied for quoting",
    ("medqa_core/report/document/quotation.py", "_numbers"): "names of figures as an imported source states them",
    ("medqa_core/report/templates/markdown.py", "escape"): "the renderer's own escaping, its last step",
    ("medqa_core/report/templates/model_card.py", "_slug"): "a data set's name made an identifier for the hub",
    ("medqa_core/report/views/figures.py", "settings"): "names of settings as an imported source states them",
    ("pages/ask/text.py", "_link"): "the scheme of an address, before it becomes a link",
    ("medqa_core/report/sweep.py", "members"): "ids of runs, which name their sweep",
    ("pages/shared/markup.py", "rich"): "the renderer's own markup: what stands in backquotes becomes code",
    ("pages/shared/tables.py", "breakable"): "a cell's long words, which may break between lines",
    ("pages/shared/tables.py", "_longest"): "a cell's markup, whose lines are only measured",
    ("pages/shared/tables.py", "_room"): "a title's words, which are only measured",
}
"""By file and function: why written text may be looked into there."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass
class Names:
    """What the program's names stand for."""

    writers: set[str] = field(default_factory=set)
    texts: set[str] = field(default_factory=set)
    silent: set[str] = field(default_factory=set)
    """Functions that return no text."""
    classes: dict[str, list[str]] = field(default_factory=dict)
    """The fields of each class, in their order."""


def trees(root: Path, folders: tuple[str, ...]) -> dict[str, ast.Module]:
    """The syntax trees of all modules in these folders, by their path."""
    files = (path for folder in folders for path in sorted((root / folder).rglob("*.py")))
    return {path.relative_to(root).as_posix(): _parsed(path) for path in files}


@cache
def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def names(root: Path) -> Names:
    """Writers, then text fields, until no more are found: a field may be filled with what another one holds."""
    found, program = Names(), trees(root, ("medqa_core", "pages"))
    for tree in program.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                annotated = [one for one in node.body if isinstance(one, ast.AnnAssign)]
                found.classes[node.name] = [ast.unparse(one.target) for one in annotated]
    functions = [function for tree in program.values() for function in _functions(tree)]
    texts = [function for function in functions if _returns_text(function) and function.name not in CLEANERS]
    found.writers = {function.name for function in texts if _writes(function)}
    while passing := {function.name for function in texts if _passes_on(function, found.writers)} - found.writers:
        found.writers |= passing
    found.silent = {function.name for function in functions if not _returns_text(function)} - found.writers
    while True:
        before = len(found.texts)
        for function in functions:
            found.texts |= set(_filled(function, found))
        if len(found.texts) == before:
            return found


@cache
def cuts(root: Path) -> list[tuple[str, str, int]]:
    """File, function and line of each place in the scanned folders that takes written text apart."""
    known, found = names(root), []
    for path, tree in trees(root, SCANNED).items():
        for function in _functions(tree):
            written = _Written(known, function)
            own = [node for node in _inside(function) if isinstance(node, ast.Call)]
            found += [(path, function.name, node.lineno) for node in own if _cuts(node, written)]
    return sorted(set(found))


class _Written:
    """Which expressions of one function are written text."""

    def __init__(self, known: Names, function: Function) -> None:
        self.known, self.function = known, function
        self.local = {h.name for h in _inside(function) if isinstance(h, ast.ExceptHandler) and h.name}
        self.errors = frozenset(self.local)
        self.local = set()
        while True:
            before = len(self.local)
            for node in _inside(function):
                self._bind(node)
            if len(self.local) == before:
                break

    def is_text(self, node: ast.AST) -> bool:
        """Whether an expression is written text, or holds it."""
        match node:
            case ast.JoinedStr():
                return _is_prose(node)
            case ast.Name(id=name):
                return name in self.local
            case ast.Attribute(attr=name):
                return name in self.known.texts or name in self.known.writers
            case ast.Call():
                return self._call(node)
        parts = (getattr(node, name) for name in HANDS_ON.get(type(node), ()))
        return any(any(map(self.is_text, part)) if isinstance(part, list) else self.is_text(part) for part in parts)

    def _call(self, node: ast.Call) -> bool:
        arguments = [*node.args, *(keyword.value for keyword in node.keywords)]
        if isinstance(node.func, ast.Name):
            name = node.func.id
            if name == "str" and arguments:
                return self.is_text(arguments[0]) or _is_name(arguments[0], self.errors)
            if name in self.known.writers:
                return True
            return name not in NO_TEXT | self.known.silent and any(map(self.is_text, arguments))
        if isinstance(node.func, ast.Attribute):
            if node.func.attr in self.known.writers or self.is_text(node.func.value):
                return True
            return node.func.attr not in self.known.silent and any(map(self.is_text, arguments))
        return False

    def _bind(self, node: ast.AST) -> None:
        match node:
            case ast.Assign(targets=targets, value=value) if self.is_text(value):
                self.local |= {name for target in targets for name in _names(target)}
            case ast.AnnAssign(target=target, value=value) if value is not None and self.is_text(value):
                self.local |= set(_names(target))
            case ast.AugAssign(target=target, value=value) if self.is_text(value):
                self.local |= set(_names(target))
            case ast.NamedExpr(target=target, value=value) if self.is_text(value):
                self.local |= set(_names(target))
            case ast.For(target=target, iter=many) | ast.comprehension(target=target, iter=many) if self.is_text(many):
                self.local |= set(_names(target))
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="append"), args=[one]) if self.is_text(one):
                self.local.add(name)


def _returns_text(function: Function) -> bool:
    returns = "" if function.returns is None else ast.unparse(function.returns)
    return "str" in returns and not any(word in returns for word in ("dict", "Mapping", "bytes", "Path"))


def _writes(function: Function) -> bool:
    """Whether a function puts prose together; what it raises and its docstring are not what it returns."""
    aside = {id(node) for node in _inside(function) if isinstance(node, ast.Raise | ast.Expr)}
    raised = {id(inner) for node in _inside(function) if id(node) in aside for inner in ast.walk(node)}
    return any(_is_prose(node) for node in _inside(function) if id(node) not in raised)


def _passes_on(function: Function, writers: set[str]) -> bool:
    """Whether a function returns what a writer made."""
    returned = [node.value for node in _inside(function) if isinstance(node, ast.Return) and node.value is not None]
    called = [node.func for one in returned for node in ast.walk(one) if isinstance(node, ast.Call)]
    return any(isinstance(one, ast.Name) and one.id in writers for one in called)


def _is_prose(node: ast.AST) -> bool:
    """A constant with words in it, or an f-string that sets a value beside words or a sign: what a person reads.

    An f-string that makes a name, a path or an address is none: it has letters, digits, `_`, `.`, `-` and `/` only.
    """
    match node:
        case ast.Constant(value=str(text)):
            return " " in text.strip()
        case ast.JoinedStr(values=parts):
            signs = "".join(str(part.value) for part in parts if isinstance(part, ast.Constant))
            return any(not (c.isalnum() or c in "_.-/") for c in signs)
        case ast.Call(func=ast.Attribute(value=ast.Constant(value=str()), attr="join")):
            return True
    return False


def _filled(function: Function, known: Names) -> Iterator[str]:
    """The fields and lists that a function fills with written text."""
    written = _Written(known, function)
    for node in _inside(function):
        match node:
            case ast.Call(func=ast.Name(id=name)) if name in known.classes or name == "cls":
                fields = known.classes.get(name, [])
                yield from (one for one, value in zip(fields, node.args, strict=False) if written.is_text(value))
                yield from (k.arg for k in node.keywords if k.arg and written.is_text(k.value))
            case ast.Call(func=ast.Attribute(value=ast.Attribute(attr=name), attr="append"), args=[one]):
                if written.is_text(one):
                    yield name


def _cuts(node: ast.Call, written: _Written) -> bool:
    if not isinstance(node.func, ast.Attribute):
        return False
    method, value = node.func.attr, node.func.value
    if method in CUTS and written.is_text(value):
        return True
    return method in PATTERNS and _is_pattern(value) and any(written.is_text(one) for one in node.args)


def _is_pattern(node: ast.AST) -> bool:
    """`re` itself, or a constant that holds a compiled pattern."""
    return isinstance(node, ast.Name) and (node.id == "re" or node.id.isupper())


def _functions(tree: ast.Module) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


@cache
def _inside(function: Function) -> tuple[ast.AST, ...]:
    """The nodes of a function's body, lambdas and comprehensions included."""
    return tuple(node for statement in function.body for node in ast.walk(statement))


def _names(target: ast.AST) -> Iterator[str]:
    return (node.id for node in ast.walk(target) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))


def _is_name(node: ast.AST, among: frozenset[str]) -> bool:
    return isinstance(node, ast.Name) and node.id in among


WORDS = """
from dataclasses import dataclass

@dataclass
class Finding:
    text: str
    rule: str

class Evaluation:
    protocol: dict[str, str]

class Log:
    def check(self) -> None:
        self.problems.append(f"{self.name} is missing: nothing is shown")

def p_value(p: float) -> str:
    return f"p = {p:.3f}"

def sentence(run: object) -> str:
    return f"Yes: {p_value(0.1)}, as {run} shows."

def figures_line(run: object) -> str:
    return sentence(run)

def made(value: float) -> Finding:
    return Finding(p_value(value), rule=f"verdict:{value}")

def evaluation(name: str) -> object:
    return Evaluation(protocol={"decoding": f"greedy, at most {name}"})
"""
APART = {
    "a word cut off": "return p_value(0.1).removeprefix('p = ')",
    "one sentence less another": "return sentence(run).removesuffix(figures_line(run)).strip()",
    "a word picked": "return made(0.1).text.split(' ', 1)[1]",
    "a look for digits": "return any(c.isdigit() for c in run.text.split(' ')[0])",
    "a link put in for words": "said = rich(' '.join([run.text, *run.notes]))\n    return said.replace('Ask', '<a>')",
    "a field found in an error": """try:
        return run()
    except ValueError as error:
        name, colon, rest = str(error).partition(': ')
        return name""",
    "a list of lines sifted": "return [line for line in run.problems if not line.startswith('metrics.jsonl is')]",
    "a protocol's line read": "return 'int8' if run.protocol.get('decoding', '').endswith('int8') else 'float32'",
    "a rule's name cut": "return [one.rule.partition(':')[2] for one in run]",
    "a pattern": "return re.findall(r'[0-9]+', sentence(run))",
}
"""What was found in the program once, in small; below what is not meant."""
WHOLE = {
    "the value itself": "return run.p < 0.05",
    "text put together": "return ' '.join([sentence(run), p_value(0.1)]).strip()",
    "a file's own format": "return [line.split(',') for line in open(run).read().splitlines()]",
    "a path": "return f'{run}-summary.txt'.split('-')",
}


def _program(folder: Path, body: str) -> Path:
    for name, text in {"medqa_core/report/words.py": WORDS, "pages/page.py": f"def page(run):\n    {body}\n"}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize("how", APART)
def test_each_way_that_was_found_once_is_seen(how: str, tmp_path: Path) -> None:
    assert [path for path, _, _ in cuts(_program(tmp_path, APART[how]))] == ["pages/page.py"]


@pytest.mark.parametrize("how", WHOLE)
def test_what_takes_nothing_apart_is_left_alone(how: str, tmp_path: Path) -> None:
    assert cuts(_program(tmp_path, WHOLE[how])) == []


def test_nobody_takes_a_rendered_sentence_apart() -> None:
    found = [f"{path}:{line} in {name}" for path, name, line in cuts(ROOT) if (path, name) not in ALLOWED]
    assert not found, "\n".join(found)


def test_every_exception_is_still_needed() -> None:
    assert set(ALLOWED) <= {(path, name) for path, name, _ in cuts(ROOT)}
