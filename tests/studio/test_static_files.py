"""The files browsers load: modules joined to fewer files, packed for whoever can unpack them."""

from __future__ import annotations

import re
from importlib.resources import files

import httpx
import pytest
from pyarrow import Codec

from kohort.testing.studio import RunningStudio
from kohort.web.packing import coding_for
from kohort.web.studio.modules import joined
from kohort.web.studio.static_files import static_files, styles_without_space

SOURCES = {
    "js/page.js": "// What all need.\nexport const say = (text) => text;\n",
    "js/start.js": 'import { say } from "./page.js";\nsay("hello");\nimport("./editor/editor.js");\n',
    "js/editor/editor.js": 'import { html } from "../../vendor/lit.js";\nimport { say as tell } from "../page.js";\n'
    'import { rows } from "../rules/rows.js";\nimport "./side.js";\n\nexport class Editor {\n  rows = rows(html, tell);\n}\n',
    "js/editor/side.js": 'import { rows } from "../rules/rows.js";\nrows();\n',
    "js/rules/rows.js": '/** Rows. */\nexport function rows() {\n  return new URL("./icons.svg", import.meta.url);\n}\n',
}


def test_what_only_one_file_needs_comes_with_it_and_the_rest_stays_apart() -> None:
    found = joined(SOURCES)
    editor = found["js/editor/editor.js"]
    assert re.findall(r'from "([^"]+)"', editor) == ["../../vendor/lit.js", "../start.js"]
    assert editor.count("function rows()") == 1
    assert editor.index("function rows()") < editor.index("rows();\n") < editor.index("class Editor")
    assert 'new URL("./icons.svg", new URL("../rules/rows.js", import.meta.url))' in editor
    assert "const { say: tell } = $file1.$js_page;" in editor
    assert editor.endswith("export { Editor };\n")
    assert 'import("./editor/editor.js")' in found["js/start.js"]
    assert found["js/editor/side.js"] == SOURCES["js/editor/side.js"]


def test_what_is_there_before_all_others_holds_what_they_need_too() -> None:
    found = joined(SOURCES)
    assert found["js/start.js"].startswith("const $part0 = (() => {\nconst say = (text) => text;\nreturn { say };\n})();\n")
    assert found["js/start.js"].endswith("export { $part0 as $js_page };\n")
    assert found["js/page.js"] == 'import * as $file0 from "./start.js";\nexport const { say } = $file0.$js_page;\n'


def test_what_is_needed_without_the_file_that_could_hold_it_stays_apart() -> None:
    alone = {"js/other.js": 'import { say } from "./page.js";\nsay("alone");\n'}
    found = joined({**SOURCES, **alone})
    assert found["js/page.js"] == "const say = (text) => text;\nexport { say };\n"
    assert [path for path in found if '"./page.js"' in found[path]] == ["js/start.js", "js/other.js"]


@pytest.mark.parametrize("text", ["export default 1;\n", 'import lit from "./lit.js";\n', "export let changed = 1;\n"])
def test_a_form_of_modules_that_is_not_known_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"js/odd\.js"):
        joined({"js/odd.js": text})


def test_every_file_that_is_named_is_there() -> None:
    known = static_files().files
    for path, file in known.items():
        if path.startswith("js/"):
            folder = httpx.URL(f"http://kohort/{path}")
            named = re.findall(r'(?:from |import\(|import )"(\.[^"]+)"', file.content.decode())
            assert [name for name in named if str(folder.join(name).path).lstrip("/") not in known] == [], path


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [("gzip, deflate, br, zstd", "br"), ("gzip;q=1.0", "gzip"), ("br;q=0, gzip", "gzip"), ("", ""), ("identity", "")],
)
def test_the_best_coding_that_is_accepted_is_used(accepted: str, coding: str) -> None:
    assert coding_for(accepted) == coding


def test_pages_files_and_answers_of_the_api_are_packed(studio: RunningStudio) -> None:
    cookies = {cookie["name"]: cookie["value"] for cookie in studio.cookies("admin")}
    known = static_files()
    for path in ("/audiences", known.url("studio.css"), known.url("js/studio.js"), "/api/v1/parents/all-customers/fields"):
        with (
            httpx.Client(base_url=studio.url, cookies=cookies, headers={"Accept-Encoding": "br"}) as client,
            client.stream("GET", path) as answer,
        ):
            packed = b"".join(answer.iter_raw())
            assert (answer.headers["content-encoding"], "Accept-Encoding" in answer.headers["vary"]) == ("br", True), path
        plain = httpx.get(f"{studio.url}{path}", cookies=cookies, headers={"Accept-Encoding": "identity"})
        assert "content-encoding" not in plain.headers
        assert len(packed) < len(plain.content)
        if path != "/audiences":
            assert Codec("brotli").decompress(packed, len(plain.content), asbytes=True) == plain.content


def test_styles_lose_only_what_browsers_skip() -> None:
    sheets = "/* Rows. */\n.a > .b, .c :is(p, li):hover { margin: 0 4px;  color: var(--ink); }\n"
    text = sheets + '@media (max-width: 640px) {\n  .a { content: "/"; }\n}\n'
    kept = '.a > .b,.c :is(p,li):hover{margin:0 4px;color:var(--ink);}@media (max-width:640px){.a{content:"/";}}'
    assert styles_without_space(text) == kept


def test_no_quoted_text_of_the_styles_would_be_changed() -> None:
    root = files("kohort.web.studio") / "static" / "css"
    quoted = [found for sheet in root.iterdir() for found in re.findall(r'"[^"\n]*"', sheet.read_text("utf-8"))]
    assert quoted
    assert [text for text in quoted if re.search(r"\s*[{};,]|[a-z0-9-]: ", text)] == []
