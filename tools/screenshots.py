"""Pictures of the studio: `python -m tools.screenshots WORKSPACE FOLDER ADDRESS... [--theme dark] [--width 1440] [--height 900]`.

Works on a copy of the workspace, signed in as an admin.
"""

from __future__ import annotations

import argparse
import re
import shutil
import tempfile
from pathlib import Path

from kohort.testing.browser import Watch, open_browser
from kohort.testing.studio import running_studio


def main() -> None:
    """Take the pictures and say where they are, and what went wrong on the pages."""
    wanted = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    wanted.add_argument("workspace", type=Path)
    wanted.add_argument("folder", type=Path)
    wanted.add_argument("addresses", nargs="+")
    wanted.add_argument("--theme", choices=("light", "dark", "both"), default="both")
    wanted.add_argument("--role", default="admin")
    wanted.add_argument("--width", type=int, default=1440)
    wanted.add_argument("--height", type=int, default=900)
    wanted.add_argument(
        "--click", action="append", default=[], help="click this before the picture (a Playwright selector); again for more"
    )
    wanted.add_argument("--wait", type=int, default=0, help="milliseconds to wait before the picture")
    options = wanted.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    themes = ("light", "dark") if options.theme == "both" else (options.theme,)
    with tempfile.TemporaryDirectory() as temporary:
        copied = Path(temporary) / "workspace"
        shutil.copytree(options.workspace, copied)
        with running_studio(copied) as studio, open_browser() as browser:
            for theme in themes:
                context = browser.new_context(viewport={"width": options.width, "height": options.height}, base_url=studio.url)
                context.add_cookies(studio.cookies(options.role, theme))  # type: ignore[arg-type]
                for address in options.addresses:
                    page, watch = context.new_page(), Watch(studio.url)
                    watch.on(page)
                    page.goto(address)
                    page.wait_for_load_state("networkidle")
                    for selector in options.click:
                        page.click(selector, timeout=5000)
                    page.wait_for_timeout(options.wait)
                    file = options.folder / f"{re.sub('[^a-z0-9]+', '-', address.lower()).strip('-') or 'home'}-{theme}.png"
                    page.screenshot(path=file)
                    print(file, *watch.problems, sep="\n  ")
                    page.close()
                context.close()


if __name__ == "__main__":
    main()
