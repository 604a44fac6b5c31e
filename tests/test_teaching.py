"""The timetable of TEACHING.md: breaks, enough time, and no exercise before the cells that it needs."""

import ast
import re
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

import notebook_frame
import notebook_source
from slides import days, planned, printed

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "TEACHING.md").read_text("utf-8")
DAYS = [[(time, what) for time, what, _ in table] for table in days()]


def names(cell) -> tuple[set[str], set[str]]:
    """Names that a cell sets, and names that it uses without having set them."""
    tree = ast.parse(re.sub(r"(?m)^\s*[%!].*$", "", cell.source))
    nodes = list(ast.walk(tree))
    made = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    made |= {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    made |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    imports = [node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]
    made |= {(one.asname or one.name).split(".")[0] for node in imports for one in node.names}
    used = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    return made, used - made


# Minutes for a word, a line and an exercise, of who knows the matter: a group asks, and the lecturer goes on.
READING, RUNNING, EXERCISE = (notebook_frame.RATES[what][0] for what in ("words", "lines of code", "exercises"))


@cache
def lesson(number: str) -> tuple[dict[int, set[int]], dict[int, float]]:
    """Exercise -> sections and, as negative numbers, exercises that it needs; minutes to read and run each section."""
    (source,) = (ROOT / "notebooks" / "src").glob(f"{number}_*.py")
    section, home, needs, minutes = 0, {}, {}, {}
    for cell in list(notebook_source.variants(source).values())[-1].cells:
        if cell.cell_type == "markdown":
            heads = re.findall(r"(?m)^## (\d*)", cell.source)
            section = int(heads[-1] or 99) if heads else section
            minutes[section] = minutes.get(section, 0) + len(cell.source.split()) * READING
            continue
        minutes[section] = minutes.get(section, 0) + len(cell.source.splitlines()) * RUNNING
        made, used = names(cell)
        exercise = re.fullmatch(r"\d\d-(?:exercise|check)-(\d+)", cell.id)
        if exercise:
            own = int(exercise[1])
            wanted = {home[name] for name in used if home.get(name, 99) not in (0, 99, -own)}
            needs[own] = needs.get(own, set()) | wanted
        place = -int(exercise[1]) if exercise else section
        home |= {name: place for name in made if name not in home}
    return needs, minutes


def test_there_are_two_days_from_nine_to_four_with_breaks():
    assert len(DAYS) == 2
    for day in DAYS:
        times = [time for time, _ in day]
        assert times == sorted(set(times))
        assert (day[0][0], day[-1]) == (9 * 60, (16 * 60, "end"))
        lasting = [(after - time, what) for (time, what), (after, _) in pairwise(day)]
        assert [minutes for minutes, what in lasting if what == "lunch"] == [60]
        assert [minutes for minutes, what in lasting if what == "break"] == [15, 15]
        starts = [time for time, what in day if what in ("break", "lunch", "end")]
        ends = [9 * 60] + [after for (_, what), (after, _) in pairwise(day) if what in ("break", "lunch")]
        assert max(rest - work for work, rest in zip(ends, starts, strict=True)) <= 105


@pytest.mark.parametrize("day", [0, 1])
def test_no_exercise_comes_before_the_cells_that_it_needs(day):
    run: dict[str, set[int]] = {}
    for _, what in DAYS[day]:
        number, kind, asked = planned(what) or ("", "", set())
        run.setdefault(number, set()).update(asked if kind == "section" else {-one for one in asked})
        for exercise in asked if kind == "exercise" else ():
            needs = lesson(number)[0]
            assert exercise in needs, f"notebook {number} has no exercise {exercise}"
            assert needs[exercise] <= run.get(number, set()), f"{number}, exercise {exercise}: {needs[exercise]}"


@pytest.mark.parametrize("day", [0, 1])
def test_there_is_time_for_what_is_planned(day):
    for (time, what), (after, _) in pairwise(DAYS[day]):
        number, kind, asked = planned(what) or ("", "", set())
        if kind == "section":
            wanted = sum(lesson(number)[1][section] for section in asked)
        else:
            wanted = EXERCISE * len(asked)
        assert after - time >= wanted, f"{what}: {wanted:.0f} minutes"


def test_the_paragraph_with_three_points_has_the_numbers_of_notebook_10():
    assert "puts 82 % of the positive relevance on QRS" in TEXT
    rows = dict(re.findall(r"(?m)^(\S.*?) {2,}[\d ]+%[\d ]+% +(\d+) %", printed("10-control")))
    assert (rows["the map"], rows["a random map"], rows["share of the time"]) == ("82", "16", "16")


def test_what_the_page_says_of_exercises_is_there():
    for number, exercise in re.findall(r"notebook (\d\d), exercise (\d+)", TEXT):
        assert int(exercise) in lesson(number)[0], (number, exercise)
