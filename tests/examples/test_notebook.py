"""The notebook: its cells run in order, in a kernel of Jupyter where there is one."""

import ast
import inspect
import json
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.torture, pytest.mark.timeout(120)]  # a browser or a kernel is started

EXAMPLES = Path(__file__).parents[2] / "examples"
NOTEBOOK = EXAMPLES / "notebook.ipynb"


@pytest.fixture
def unconfigured(monkeypatch):
    """No key and no server: the notebook starts the bundled one, and the test forgets it."""
    for name in ("BROWSER_USE_API_KEY", "BROWSER_USE_BASE_URL"):
        monkeypatch.setenv(name, "")
    monkeypatch.syspath_prepend(EXAMPLES)


@pytest.mark.usefixtures("unconfigured")
async def test_its_cells_run(capsys):
    """Each cell with its `await` in one namespace, as a kernel runs them."""
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    # Dataclasses ask for the module that they are of.
    names: dict[str, Any] = {"__name__": "__main__"}
    for cell in cells:
        if cell["cell_type"] == "code":
            text = "".join(cell["source"])
            code = compile(text, cell["id"], "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            result = eval(code, names)
            if inspect.isawaitable(result):
                await result

    assert str(names["task"].status) == "finished"
    assert [row["status"] for row in names["batch"].to_rows()] == ["finished"] * 3
    assert capsys.readouterr().out.startswith("1 ")


@pytest.mark.usefixtures("unconfigured")
def test_a_kernel_shows_what_it_gives():
    """Tasks and batches are tables in the notebook, and the cells leave no error."""
    nbclient = pytest.importorskip("nbclient", reason="nbclient: `make test-examples` has it")
    pytest.importorskip("ipykernel", reason="ipykernel: `make test-examples` has it")
    import nbformat

    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client = nbclient.NotebookClient(
        notebook, timeout=60, kernel_name="python3", resources={"metadata": {"path": str(EXAMPLES)}}
    )
    client.execute()
    shown = {cell.id: str(cell.get("outputs")) for cell in notebook.cells}

    assert "text/html" in shown["task"]
    assert "text/html" in shown["batch"]
    assert "3 of 3" in shown["batch"]
    assert "image/png" in shown["picture"]
    assert "Recordings: " in shown["film"]


def test_it_is_stored_without_outputs():
    """The notebook is stored without outputs, so nothing of a machine is in it."""
    cells = json.loads(NOTEBOOK.read_text())["cells"]

    assert [cell["id"] for cell in cells if cell.get("outputs")] == []
