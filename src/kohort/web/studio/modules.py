"""Joins our JavaScript modules to fewer files: a module that only one other part of the studio loads comes with it in one answer.

The sources keep to few forms: imports and exports at the start of a line, named, one statement a line; modules never import each other in
a circle. What is asked for by its own name stays a file of its own, and so does what several parts need; but where one of these is there
before all the others, it holds it for them. A module exists once in a page.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from posixpath import dirname, join, normpath, relpath

_IMPORT = re.compile(r'^import (?:(\{[^}]*\}) from )?"(\.[^"]+)";$', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function\*?|const|class) (\w+))", re.MULTILINE)
_NAMED = re.compile(r'"(\.{1,2}/[\w./-]+\.js)"')
_OTHER = re.compile(r"^(?:import|export)\b(?!\().*", re.MULTILINE)
_REMARK = re.compile(r"^[ ]*(?://.*|/\*\*.*\*/)\n", re.MULTILINE)
_INDENT = re.compile(r"^ +", re.MULTILINE)
_HERE = "import.meta.url"


@dataclass(frozen=True, slots=True)
class Module:
    """One source. imports: (names in braces or "", path); asked: paths it names otherwise, to load them when they are needed."""

    path: str
    body: str
    imports: tuple[tuple[str, str], ...]
    exports: tuple[str, ...]
    asked: frozenset[str]


def joined(sources: Mapping[str, str]) -> dict[str, str]:
    """The same paths; those that others load first hold what comes with them. Raises ValueError on a form that is not known."""
    modules = {path: _read(path, text) for path, text in sources.items()}
    whole = _whole(modules)
    homes = _homes(modules, whole)
    files = whole - homes.keys()
    return {path: _written(module, modules, files, homes) if path in files else sources[path] for path, module in modules.items()} | {
        path: _handed_on(modules[path], home) for path, home in homes.items()
    }


def _read(path: str, text: str) -> Module:
    folder = dirname(path)
    imports = tuple((names or "", normpath(join(folder, where))) for names, where in _IMPORT.findall(text))
    rest = _IMPORT.sub("", text)
    exports = tuple(_EXPORT.findall(rest))
    body = _INDENT.sub("", _REMARK.sub("", _EXPORT.sub("", rest))).strip()
    left = _OTHER.search(body)
    if left:
        raise ValueError(f"{path}: {left.group()}")
    asked = frozenset(normpath(join(folder, where)) for where in _NAMED.findall(body))
    return Module(path, body, imports, exports, asked)


def _whole(modules: Mapping[str, Module]) -> frozenset[str]:
    """The modules that are files of their own: nobody imports them, they are asked for by name, or several files need them."""
    imported = {path for module in modules.values() for _, path in module.imports}
    whole = {path for path in modules if path not in imported} | _asked(modules)
    while True:
        needed: dict[str, set[str]] = {}
        for path in sorted(whole & modules.keys()):
            for part in _parts(path, modules, whole):
                needed.setdefault(part, set()).add(path)
        more = {part for part, by in needed.items() if len(by) > 1}
        if not more:
            return frozenset(whole)
        whole |= more


def _homes(modules: Mapping[str, Module], whole: frozenset[str]) -> dict[str, str]:
    """What several files need and one of them, there before all the others, can hold: by path, the file that holds it."""
    named = _asked(modules)
    loads = {path: _loads(path, modules, whole) for path in whole & modules.keys()}
    asks = {path: {one for part in (*_parts(path, modules, whole), path) for one in modules[part].asked} for path in loads}
    begins = [path for path in loads if path not in named and not any(path in found for found in loads.values())]
    hosts = sorted({*begins, *(path for path in loads if path in named)})
    found: dict[str, str] = {}
    for part in sorted(loads.keys() - set(hosts)):
        home = next((host for host in hosts if part in loads[host] and part not in _reached(begins, loads, asks, host)), None)
        if home is not None and not any(part in loads.get(other, ()) for other in loads[home] if other in hosts):
            found[part] = home
    return found


def _asked(modules: Mapping[str, Module]) -> frozenset[str]:
    return frozenset(path for module in modules.values() for path in module.asked)


def _loads(path: str, modules: Mapping[str, Module], whole: frozenset[str]) -> frozenset[str]:
    """The files that are loaded before this one, because it or one of them imports them."""
    found: set[str] = set()
    left = [path]
    while left:
        one = left.pop()
        for part in (*_parts(one, modules, whole), one):
            more = {wanted for _, wanted in modules[part].imports if wanted in whole and wanted in modules} - found
            found |= more
            left += more
    return frozenset(found)


def _reached(begins: Iterable[str], loads: Mapping[str, frozenset[str]], asks: Mapping[str, set[str]], without: str) -> frozenset[str]:
    """What can be there when one file never is."""
    found: set[str] = set()
    left = [path for path in begins if path != without]
    while left:
        one = left.pop()
        if one in found or one == without or one not in loads:
            continue
        found.add(one)
        left += [*loads[one], *asks[one]]
    return frozenset(found)


def _parts(path: str, modules: Mapping[str, Module], whole: Iterable[str]) -> list[str]:
    """What comes with a file, each after what it imports, the file itself left out."""
    found: list[str] = []

    def visit(one: str) -> None:
        for _, wanted in modules[one].imports:
            if wanted in modules and wanted not in whole and wanted not in found:
                visit(wanted)
                found.append(wanted)

    visit(path)
    return found


def _written(module: Module, modules: Mapping[str, Module], files: frozenset[str], homes: Mapping[str, str]) -> str:
    elsewhere = files | {path for path, home in homes.items() if home != module.path}
    parts = _parts(module.path, modules, elsewhere)
    names = {path: f"$part{number}" for number, path in enumerate(parts)}
    wanted = dict.fromkeys(path for part in (*parts, module.path) for _, path in modules[part].imports if path not in names)
    outside = dict.fromkeys(homes.get(path, path) for path in wanted)
    names |= {path: f"$file{number}" for number, path in enumerate(outside)}
    names |= {path: f"{names[homes[path]]}.{_held(path)}" for path in wanted if path in homes}
    folder = dirname(module.path)
    lines = [f'import * as {names[path]} from "{_relative(path, folder)}";' for path in outside]
    for part in parts:
        known = modules[part]
        lines += [f"const {names[part]} = (() => {{", _body(known, names, folder), f"return {{ {', '.join(known.exports)} }};", "})();"]
    lines.append(_body(module, names, folder))
    given = [*module.exports, *(f"{names[path]} as {_held(path)}" for path in parts if path in homes)]
    if given:
        lines.append(f"export {{ {', '.join(given)} }};")
    return "\n".join(lines) + "\n"


def _handed_on(module: Module, home: str) -> str:
    """A module that another file holds, for whoever asks for it by its own name."""
    where = _relative(home, dirname(module.path))
    return f'import * as $file0 from "{where}";\nexport const {{ {", ".join(module.exports)} }} = $file0.{_held(module.path)};\n'


def _held(path: str) -> str:
    """The name under which a file gives what it holds for others."""
    return f"${re.sub(r'[^a-z0-9]', '_', path.removesuffix('.js'))}"


def _body(module: Module, names: Mapping[str, str], folder: str) -> str:
    """A module inside a file of `folder`: what it imports by other names, its addresses from there."""
    taken = [f"const {braces.replace(' as ', ': ')} = {names[path]};" for braces, path in module.imports if braces]
    body = module.body
    if dirname(module.path) != folder:
        here = dirname(module.path)
        body = _NAMED.sub(lambda found: f'"{_relative(normpath(join(here, found.group(1))), folder)}"', body)
        body = body.replace(_HERE, f'new URL("{_relative(module.path, folder)}", {_HERE})')
    return "\n".join([*taken, body])


def _relative(path: str, folder: str) -> str:
    found = relpath(path, folder)
    return found if found.startswith(".") else f"./{found}"
