"""A JavaScript engine for the scripts of the page, without a browser."""

import json
import shutil
import subprocess
from importlib.resources import files

import pytest

from jaxdigits.page.onefile import SCRIPTS


@pytest.fixture(scope="session")
def javascript(tmp_path_factory):
    """Return a function (body, data) -> the JSON that the body, which sees `data`, returns."""
    node = shutil.which("node") or shutil.which("nodejs")
    if node is None:
        pytest.skip("needs node, to run the page's scripts")
    folder = tmp_path_factory.mktemp("javascript")
    names = SCRIPTS[:-2]  # the last two are the page itself
    source = "".join((files("jaxdigits.page") / name).read_text("utf-8") for name in names)

    def run(body, data):
        (folder / "data.json").write_text(json.dumps(data))
        (folder / "script.js").write_text(
            f"{source}\nconst data = JSON.parse(require('fs').readFileSync(process.argv[2]));\n"
            f"console.log(JSON.stringify((() => {{ {body} }})()));"
        )
        done = subprocess.run(
            [node, folder / "script.js", folder / "data.json"],
            capture_output=True, text=True, timeout=100, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run
