"""``leadwise cohort FOLDER``: a whole data set from the command line."""

import argparse
import json
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from leadwise.cohort.moments import Cohort

DATA_SETS = {"ptb-xl": "ptb_xl", "mimic-iv-ecg": "mimic_iv_ecg", "challenge": "challenge", "packed": "packed"}
MARKS = {"ptb-xl": "ptbxl_database.csv", "mimic-iv-ecg": "record_list.csv", "packed": "shard-00000.parquet"}


def run(options: argparse.Namespace) -> int:
    """Explain the data set; write means, figures and what was left out; return the exit status."""
    from leadwise import load_ecg_model
    from leadwise.cohort import EngineError, explain_cohort

    out = Path(options.out)
    try:
        records = _records(options)
        model = load_ecg_model(options.network, options.weights)
        with _client(options.scheduler) as client:
            cohort = explain_cohort(
                model, records, options.method, target=options.target, groups=options.group,
                workers=client if options.scheduler else options.workers, device=options.device, chunk=options.chunk,
                checkpoint=out / "checkpoint", rows=out / "rows" if options.rows else None,
            )  # fmt: skip
        _write(cohort, out)
    except (ValueError, OSError, ImportError, EngineError) as error:
        print(f"leadwise: {error}", file=sys.stderr)
        return 2
    print(f"{cohort.records} records, {cohort.left_out} left out; results in {out}")
    return 0


def _records(options: argparse.Namespace):
    """Return the data set of a folder."""
    from leadwise import cohort

    found = [name for name, mark in MARKS.items() if (Path(options.folder) / mark).is_file()]
    kind = options.data_set or (found[0] if found else "challenge")
    records = getattr(cohort, DATA_SETS[kind])(options.folder)
    return records.first(options.first) if options.first is not None else records


def _client(scheduler: str | None):
    """Return a context manager that gives the client of a scheduler, or None."""
    if scheduler is None:
        return nullcontext()
    from leadwise.cohort.engine import distributed

    dask = distributed()
    return dask.Client(scheduler_file=scheduler) if Path(scheduler).is_file() else dask.Client(scheduler)


def _write(cohort: "Cohort", folder: Path) -> None:
    """Write the cohort, its numbers as JSON, its figures, and what was left out."""
    from leadwise.cohort import forest
    from leadwise.plotting import save_figure

    cohort.save(folder / "cohort.npz")
    (folder / "summary.json").write_text(json.dumps(summary(cohort), indent=1, ensure_ascii=False) + "\n", "utf-8")
    (folder / "left_out.txt").write_text("".join(f"{reason}\n" for reason in cohort.reasons), "utf-8")
    if not cohort.records:
        return
    save_figure(cohort.plot(), folder / "matrix.png")
    if "beat" in cohort.moments:
        save_figure(cohort.beat().plot(), folder / "beat.png")
    for column in cohort.groups:
        save_figure(forest(cohort, column, "wave_share", "QRS"), folder / f"qrs_by_{column}.png")


def summary(cohort: "Cohort") -> dict:
    """Return the means of a cohort with their intervals as JSON can hold them, without the beats, groups inside."""
    names = [name for name in cohort.moments if not name.startswith("beat")]
    found = {"records": cohort.records, "left out": cohort.left_out, "settings": cohort.settings}
    for name in names:
        low, high = cohort.interval(name)
        found[name] = {"count": cohort.count(name), "mean": cohort.mean(name).tolist(),
                       "low": _finite(low), "high": _finite(high)}  # fmt: skip
    groups = {
        column: {value: summary(one) for value, one in values.items()} for column, values in cohort.groups.items()
    }
    return found | ({"groups": groups} if groups else {})


def _finite(values):
    """Return numbers as lists, None where there is none: JSON knows no NaN."""
    import numpy as np

    return np.where(np.isfinite(values), values, None).tolist()
