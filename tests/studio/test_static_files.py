"""The files browsers load: modules joined to fewer files, packed for whoever can unpack them."""

from __future__ import annotations

import re

import httpx
import pytest
from pyarrow import Codec

from kohort.testing.studio import RunningStudio
from kohort.web.packing import coding_for
from kohort.web.studio.modules import joined
from kohort.web.studio.static_files import static_files

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
    assert re.findall(r'from "([^"]+)"', editor) == ["../../vendor/lit.js", "../page.js"]
    assert editor.count("function rows()") == 1
    assert editor.index("function rows()") < editor.index("rows();\n") < editor.index("class Editor")
    assert 'new URL("./icons.svg", new URL("../rules/rows.js", import.meta.url))' in editor
    assert "const { say: tell } = $file1;" in editor
    assert editor.endswith("export { Editor };\n")
    assert found["js/start.js"].startswith('import * as $file0 from "./page.js";')
    assert 'import("./editor/editor.js")' in found["js/start.js"]
    assert found["js/page.js"] == "const say = (text) => text;\nexport { say };\n"
    assert found["js/editor/side.js"] == SOURCES["js/editor/side.js"]


@pytest.mark.parametrize("text", ["export default 1;\n", 'import lit from "./lit.js";\n', "export let changed = 1;\n"])
def test_a_form_of_modules_that_is_not_known_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"js/odd\.js"):
        joined({"js/odd.js": text})


def test_every_file_that_is_named_is_there() -> None:
    files = static_files().files
    for path, file in files.items():
        if path.startswith("js/"):
            folder = httpx.URL(f"http://kohort/{path}")
            named = re.findall(r'(?:from |import\(|import )"(\.[^"]+)"', file.content.decode())
            assert [name for name in named if str(folder.join(name).path).lstrip("/") not in files] == [], path


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [("gzip, deflate, br, zstd", "br"), ("gzip;q=1.0", "gzip"), ("br;q=0, gzip", "gzip"), ("", ""), ("identity", "")],
)
def test_the_best_coding_that_is_accepted_is_used(accepted: str, coding: str) -> None:
    assert coding_for(accepted) == coding


def test_pages_files_and_answers_of_the_api_are_packed(studio: RunningStudio) -> None:
    cookies = {cookie["name"]: cookie["value"] for cookie in studio.cookies("admin")}
    files = static_files()
    for path in ("/audiences", files.url("studio.css"), files.url("js/studio.js"), "/api/v1/parents/all-customers/fields"):
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
