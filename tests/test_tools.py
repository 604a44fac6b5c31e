"""The notebook tool, on notebooks whose faults are known; and the lists of packages, which must agree."""

import ast
import re
import subprocess
import sys
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import nbformat
import pytest
from packaging.requirements import Requirement

import notebook_rules
import notebook_run
import notebook_source

ROOT = Path(__file__).resolve().parents[1]

GOOD = """# %% [markdown]
# # Waves

# %% a figure
import os
import sys

import matplotlib.pyplot as plt
from tqdm.auto import tqdm

print({"P", "QRS", "T"})
for _ in tqdm(range(3)):
    print("a beat", file=sys.stdout, flush=True)
for _ in tqdm(iter(range(3)), file=sys.stderr, desc="beats"):
    pass
fig, ax = plt.subplots(figsize=(2, 1))
_ = ax.plot([0, 1, 0])

# %%
print(os.listdir(os.environ["LEADWISE_DATA"]), os.environ.get("LEADWISE_MIRROR"), os.environ.get("LEADWISE_REFERENCE"))

# %% [markdown]
# ## A live view

# %%
import ipywidgets


class Twin(ipywidgets.IntSlider):
    def _repr_mimebundle_(self, **kwargs):
        return super()._repr_mimebundle_(**kwargs) | {"text/html": "<b>slider</b>"}


Twin(description="lead", max=5)

# %% tags=["solution"]
# Add the limb leads II = I + III.
two = 1 + 1
print("solved", two)
"""

# Notebook -> its cells and what the tool must say of each. An execution by nbclient alone lets all pass but "raises".
FAULTS = {
    "raises": {"leads = {}\nleads['V7']": r"leads\['V7'\][^|]*KeyError: 'V7'"},
    "dies": {"import os\nos._exit(1)": "the kernel died"},
    "heard": {
        "import warnings\nwarnings.warn('half a beat')": "on stderr:[^|]*UserWarning: half a beat",
        "import ipywidgets as w\nwith w.Output():\n    raise ValueError('in an Output')": "ValueError: in an Output",
        "@w.interact(lead=(0, 11))\ndef show(lead):\n    raise ValueError('in interact')": "ValueError: in interact",
        "import threading, time\nthreading.Thread(target=lambda: 1 / 0).start()\ntime.sleep(0.2)": "ZeroDivisionError",
    },
    "written": {
        "import os\nprint('in', os.getcwd())": "a path of this machine: /",
        "object()": "an object's address",
        "%time x = 1": "a timing: (CPU times|Wall time)",
        "import ipywidgets\nipywidgets.IntSlider()": "a live view without a static twin",
        "from IPython.display import SVG\nSVG('<svg></svg>')": r"an image as image/svg\+xml",
    },
    "large": {"print('ECG\\n' * 200_000)": r"the notebook has [\d.]+ MB; at most 2 MB"},
}

# A control whose callback raises, and what the tool must say once it has moved it as a learner would.
CONTROLS = {
    "slider = w.IntSlider(max=5)\nslider.observe(lambda change: {}[change.new], 'value')": (
        "IntSlider .* set to 5: [^|]*KeyError: 5"
    ),
    "spans = w.FloatRangeSlider(max=5)\nspans.observe(lambda change: {}[change.new], 'value')": (
        r"FloatRangeSlider .* set to \[0.0, 5.0\]: [^|]*KeyError: \(0.0, 5.0\)"
    ),
    "decades = w.FloatLogSlider(max=2)\ndecades.observe(lambda change: {}[change.new], 'value')": (
        "FloatLogSlider .* set to 100.0: [^|]*KeyError: 100.0"
    ),
    "box = w.Checkbox()\nbox.observe(lambda change: {}[change.new], 'value')": (
        "Checkbox .* set to True: [^|]*KeyError: True"
    ),
    "menu = w.Dropdown(options=['I', 'V6'])\nmenu.observe(lambda change: {}[change.new], 'value')": (
        "Dropdown .* set to 1: [^|]*KeyError: 'V6'"
    ),
    "several = w.SelectMultiple(options=['I', 'V6'])\nseveral.observe(lambda change: {}[change.new], 'value')": (
        r"SelectMultiple .* set to \[1\]: [^|]*KeyError: \('V6',\)"
    ),
    "button = w.Button()\nbutton.on_click(lambda button: 1 / 0)": "Button .* clicked: [^|]*ZeroDivisionError",
}


def tool(*arguments: str) -> subprocess.CompletedProcess:
    patience = [] if "--timeout" in arguments or arguments[0] == "check" else ["--timeout", "60"]
    command = [sys.executable, str(ROOT / "tools" / "notebooks.py"), *map(str, arguments), *patience]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def write(folder: Path, sources: dict[str, str]) -> Path:
    (folder / "src").mkdir(parents=True, exist_ok=True)
    for name, source in sources.items():
        (folder / "src" / f"{name}.py").write_text(source)
    return folder


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """GOOD, built twice in two folders: (first folder, second folder, what the first build printed)."""
    folders = [write(tmp_path_factory.mktemp("build"), {"00_good": GOOD}) for _ in range(2)]
    done = [tool("build", "--notebooks", folder) for folder in folders]
    assert [d.returncode for d in done] == [0, 0], done[0].stdout + done[0].stderr
    return *folders, done[0].stdout


@pytest.fixture(scope="module")
def faults(tmp_path_factory):
    """What a build of FAULTS and CONTROLS prints, and the folder."""
    sources = {f"00_{name}": "\n# %%\n".join(["", *cells]) for name, cells in FAULTS.items()}
    sources["00_controls"] = "\n# %%\n".join(["", "import ipywidgets as w", *CONTROLS])
    folder = write(tmp_path_factory.mktemp("faults"), sources)
    done = tool("build", "--notebooks", folder)
    assert done.returncode == 1
    return done, folder


def cells(path: Path) -> dict[str, dict]:
    return {cell.id: cell for cell in nbformat.read(path, as_version=4).cells}


def test_two_builds_are_byte_identical(built):
    first, second, _ = built
    paths = [path.relative_to(first) for path in sorted(first.rglob("*.ipynb"))]
    assert [str(path) for path in paths] == ["00_good.ipynb", "solutions/00_good.ipynb"]
    for path in paths:
        assert untimed(first / path) == untimed(second / path)


def untimed(path: Path) -> str:
    """A notebook's text without the seconds that it took."""
    text, count = re.subn(r"runs in \d+ s", "runs", path.read_text())
    assert count == 1
    return text


def test_what_a_built_notebook_keeps(built):
    notebook = cells(built[0] / "00_good.ipynb")
    frame = ["00-badges", "00-bootstrap", "00-footer"]
    assert list(notebook) == ["00-00", *frame[:2], "00-a-figure", "00-02", "00-03", "00-04", "00-05", *frame[2:]]
    stream, figure = notebook["00-a-figure"].outputs  # no progress bar, neither as text nor as a widget
    assert (stream.name, stream.text.count("a beat")) == ("stdout", 3)
    assert set(figure.data) == {"image/png", "text/plain"}
    assert figure.metadata["image/png"]["alt"] == "Waves"
    assert notebook["00-02"].outputs[0].text == "[]  None\n"  # an empty data folder, no mirror, no reference
    assert set(notebook["00-04"].outputs[0].data) == {"text/html", "text/plain"}  # the widget's static twin
    assert nbformat.read(built[0] / "00_good.ipynb", as_version=4).metadata == notebook_source.METADATA


def test_a_solution_stays_out_of_the_exercise(built):
    exercise, solution = (cells(built[0] / path)["00-05"] for path in ("00_good.ipynb", "solutions/00_good.ipynb"))
    assert exercise.source == "# Add the limb leads II = I + III.\n# Your code here."
    assert exercise.outputs == []
    assert "two = 1 + 1" in solution.source
    assert solution.outputs[0].text == "solved 2\n"


ANSWERS = """# %% exercise 1 tags=["solution"] answers=["lead", "power"]
# Exercise 1: the lead,
# and a function.
lead = "V1"


def power(x):
    # The mean square.
    return (x**2).mean()


# %% exercise 2 tags=["solution"] answers=[]
# Exercise 2: in words.
print("none")
"""


def test_a_stub_sets_each_answer_to_an_ellipsis(tmp_path):
    made = notebook_source.variants(write(tmp_path, {"01_answers": ANSWERS}) / "src" / "01_answers.py")
    exercise, solution = made["01_answers.ipynb"].cells, made["solutions/01_answers.ipynb"].cells
    assert exercise[0].source == (
        "# Exercise 1: the lead,\n# and a function.\nlead = ...  # your code here\npower = ...  # your code here"
    )
    assert exercise[1].source == "# Exercise 2: in words.\n# Your code here."
    assert {str(dict(cell.metadata)) for cell in [*exercise, *solution]} == {"{'tags': ['solution']}"}
    assert "power(x)" in solution[0].source


@pytest.mark.parametrize(
    ("title", "message"),
    [
        ('tags=["solution"] answers=["leads"]', r"01_wrong.py: cell 01-one: .*defines no leads"),
        ('tags=["solution"] answers=["lead", "V1"]', "defines no V1"),
        ('answers=["lead"]', 'without tags=."solution"'),
    ],
)
def test_answers_that_no_solution_gives_are_refused(tmp_path, title, message):
    text = f"# %% one {title}\nlead = 'V1'\n# %% two tags=[\"solution\"]\n1\n"
    with pytest.raises(notebook_source.SourceError, match=message):
        notebook_source.variants(write(tmp_path, {"01_wrong": text}) / "src" / "01_wrong.py")


def test_a_build_prints_a_line_for_each_notebook_and_a_table(built):
    line = r"^\[1/2\] 00_good \.\.\. [\d.]+ s, \d+ MB, (\d+) of \1 controls moved, ok$"
    assert re.search(line, built[2], re.MULTILINE)
    assert re.search(r"^solutions/00_good +[\d.]+ +[1-9]\d+  ok$", built[2], re.MULTILINE)


@pytest.mark.parametrize(("name", "number"), [(name, i) for name in FAULTS for i in range(len(FAULTS[name]))])
def test_a_fault_fails_the_build(name, number, faults):
    done, folder = faults
    where = "" if name == "large" else rf"    cell {number} \(00-0{number}\):"
    pattern = list(FAULTS[name].values())[number]
    assert re.search(rf"{where}[^|]*?{pattern}", done.stderr), done.stderr
    assert re.search(rf"^00_{name} .*FAILED", done.stdout, re.MULTILINE), done.stdout
    assert not (folder / f"00_{name}.ipynb").exists()


@pytest.mark.parametrize("pattern", CONTROLS.values(), ids=[code.split()[2] for code in CONTROLS])
def test_a_callback_that_raises_fails_the_build(pattern, faults):
    done, folder = faults
    assert re.search(pattern, done.stderr), done.stderr
    assert re.search(r"^00_controls .*FAILED", done.stdout, re.MULTILINE)
    assert not (folder / "00_controls.ipynb").exists()


def test_run_writes_pages_and_figures(tmp_path):
    figure = GOOD.split("# %%\n")[0]
    folder = write(tmp_path, {"00_good": figure, "01_bad": "# %%\nprint('before')\n# %%\n1 / 0"})
    done = tool("run", "--notebooks", folder, "--out", tmp_path / "build", "--plots", tmp_path / "plots")
    assert done.returncode == 1  # one of the two failed; the other is there all the same
    assert "ZeroDivisionError" in done.stderr
    assert "a beat" in (tmp_path / "build" / "00_good.html").read_text()
    assert "before" in (tmp_path / "build" / "01_bad.html").read_text()
    assert [path.name for path in (tmp_path / "plots").rglob("*.png")] == ["00-a-figure.png"]
    assert not list(folder.glob("*.ipynb"))


def edit_source(notebook):
    notebook.cells[1].source += "\n# another line"


def edit_id(notebook):
    notebook.cells[0].id = "mine"


def edit_tags(notebook):
    notebook.cells[4].metadata["tags"] = ["mine"]


def drop_cell(notebook):
    del notebook.cells[-1]


def edit_kernel(notebook):
    notebook.metadata.kernelspec.name = "mine"


def leak(notebook):
    notebook.cells[4].outputs[0].text = f"saved in {ROOT}"


@pytest.mark.parametrize("edit", [edit_source, edit_id, edit_tags, drop_cell, edit_kernel, leak])
def test_check_sees_an_edit(edit, built, tmp_path, capsys):
    import notebooks

    write(tmp_path, {"00_good": GOOD})
    for name in ("00_good.ipynb", "solutions/00_good.ipynb", "timings.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((built[0] / name).read_bytes())
    assert notebooks.main(["check", "--notebooks", str(tmp_path)]) == 0
    notebook = nbformat.read(tmp_path / "00_good.ipynb", as_version=4)
    edit(notebook)
    nbformat.write(notebook, tmp_path / "00_good.ipynb")
    assert notebooks.main(["check", "--notebooks", str(tmp_path)]) == 1
    assert "00_good.ipynb: differs" in capsys.readouterr().out


def test_check_sees_a_notebook_without_source_and_a_source_without_notebook(tmp_path, capsys):
    import notebooks

    write(tmp_path, {"00_new": "# %%\nprint(1)"})
    (tmp_path / "01_old.ipynb").write_text("{}")
    assert notebooks.main(["check", "--notebooks", str(tmp_path)]) == 1
    assert re.search(r"00_new.ipynb: differs\n01_old.ipynb: differs", capsys.readouterr().out)
    assert notebooks.main(["check", "07", "--notebooks", str(tmp_path)]) == 1
    assert "no notebook '07'; there are: 00_new" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "progress"),
    [
        ("100%|██████████| 3/3 [00:00<00:00, 21183.35it/s]", True),
        ("LIME:  40%|████      | 20/50 [00:01<00:02, 13.1it/s, loss=3]", True),
        ("  0%|          | 0/50 [00:00<?, ?it/s]", True),
        ("20it [1:00:01, 13.1it/s]", True),
        ("12.5MB [00:01, 9.6MB/s]", True),
        ("UserWarning: 40% of the samples are NaN", False),
        ("RuntimeWarning: invalid value in [0:10]", False),
    ],
)
def test_what_counts_as_a_progress_bar(line, progress):
    assert bool(notebook_run.PROGRESS.search(line)) is progress


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("loaded /home/ana/course/data/x.hea", True),
        ("C:\\Users\\ana\\x.hea", True),
        ("file:///Users/ana/x.hea", True),
        ("https://physionet.org/home/ana", False),
        ("P/QRS/T at 25 mm/s, 10 mm/mV", False),
        ('<img src="data:image/png;base64,AAAA/tmp/AAAA/home/BBBB"> no path', False),
    ],
)
def test_what_counts_as_a_machine_path(text, held):
    output = nbformat.v4.new_output("display_data", {"text/html": text})
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(outputs=[output])])
    assert bool(notebook_rules.problems(notebook)) is held


def pins(path: str, python: str = "3.11") -> dict[str, str]:
    """Return name -> version as a file pins it for one Python."""
    lines = [line.strip(" -") for line in (ROOT / path).read_text().splitlines()]
    pinned = [Requirement(line) for line in lines if "==" in line and not line.startswith("#")]
    here = {"python_version": python}
    return {r.name: str(r.specifier)[2:] for r in pinned if r.marker is None or r.marker.evaluate(here)}


def test_every_pin_is_among_the_constraints():
    constraints = {name.lower(): version for name, version in pins("constraints.txt").items()}
    wanted = pins("requirements.txt") | pins("requirements-dev.txt")
    torch = wanted.pop("torch")
    assert re.fullmatch(r"\d+\.\d+\.\d+", torch)
    del wanted["numpy"], wanted["pyarrow"]
    assert {name: constraints.get(name) for name in wanted} == wanted
    assert not {"torch", "torchvision"} & set(constraints)  # TORCH= chooses them
    assert not {"numpy", "pyarrow"} & set(constraints)  # the version of Python chooses them


def test_from_python_3_13_on_only_numpy_differs():
    tested, newer = pins("requirements.txt"), pins("requirements.txt", python="3.13")
    assert {name for name in tested if tested[name] != newer[name]} == {"numpy"}
    assert tested["numpy"].startswith("1.")
    assert newer["numpy"].startswith("2.")
    assert pins("requirements.txt", python="3.12") == tested
    assert pins("requirements.txt", python="3.14") == newer


def test_what_signxai2_needs_is_pinned_for_it():
    """The Makefile installs it without what it declares to need, for it declares numpy < 2."""
    needed = {Requirement(line).name for line in requires("signxai2") if "extra" not in line}
    assert "numpy" in needed
    assert needed <= set(pins("requirements.txt"))


def test_the_package_declares_and_pins_what_it_imports():
    declared = set(
        re.findall(r'"([\w-]+)[<"]', (ROOT / "pyproject.toml").read_text().split("dependencies = [")[1].split("]")[0])
    )
    extras = {
        name: {line for line in (ROOT / f"requirements-{name}.txt").read_text().splitlines() if line[0] != "#"}
        for name in ("dicom", "cohort")
    }
    assert declared | extras["dicom"] <= set(pins("requirements.txt"))
    assert extras["cohort"] <= set(pins("requirements-dev.txt"))
    declared |= extras["dicom"] | extras["cohort"]
    distributions = packages_distributions()
    for path in (ROOT / "src").rglob("*.py"):
        for module in imported(path) - sys.stdlib_module_names - {"leadwise"}:
            names = {name.lower() for name in distributions.get(module, [module])}
            assert names & declared, f"{path} imports {module}, which pyproject.toml does not declare"


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(node.module.split(".")[0])
    return found


def test_a_cell_that_takes_too_long_is_named(tmp_path):
    write(tmp_path, {"01_slow": "# %%\nimport time\n\ntime.sleep(60)\n"})
    result = tool("build", "--notebooks", tmp_path, "--timeout", "3")
    assert result.returncode == 1
    assert "A cell timed out" in result.stderr
    assert "its answer was lost" not in result.stdout


@pytest.mark.parametrize(("losses", "problems"), [(1, 0), (2, 1)])
def test_a_lost_answer_is_said_and_the_notebook_runs_again_once(tmp_path, monkeypatch, capsys, losses, problems):
    run, calls = notebook_run._execute_cells, []

    def loses_answers(*arguments):
        calls.append(1)
        if len(calls) <= losses:
            raise notebook_run.LostAnswer("cell 0: the kernel is idle, its answer was lost")
        run(*arguments)

    monkeypatch.setattr(notebook_run, "_execute_cells", loses_answers)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("print(6 * 7)")])
    result = notebook_run.execute(notebook, tmp_path, 60)
    assert len(calls) == 2
    assert len(result.problems) == problems
    assert "answer was lost" in capsys.readouterr().out
    assert [output.text for output in notebook.cells[0].outputs] == ["42\n"] * (losses == 1)
