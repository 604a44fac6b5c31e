"""``python -m leadwise``. A command is a row of ``COMMANDS``; what is heavy to import is imported when it runs."""

import argparse
import sys
from collections.abc import Callable
from typing import NamedTuple


class Command(NamedTuple):
    """A subcommand: its help, its arguments, and the function that runs it and returns the exit code."""

    help: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


def _download_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "group",
        nargs="*",
        default=["all"],
        help="what to fetch: alexnet, ecg-models, ecgs, images, or all of these (default); by name also vgg16, vgg19, "
        "resnet50, resnet101, resnet152, resnet50-v2, resnet101-v2",
    )
    parser.add_argument(
        "--data", metavar="DIR", help="data folder (default: $LEADWISE_DATA, else the checkout's data/)"
    )
    parser.add_argument(
        "--mirror",
        metavar="DIR",
        help="take files from this folder first, recognised by their content (default: $LEADWISE_MIRROR)",
    )
    parser.add_argument("--offline", action="store_true", help="never use the network: what there is, or the mirror")
    parser.add_argument("--timeout", type=float, default=15, metavar="S", help="seconds to wait for data (default: 15)")
    parser.add_argument("--list", action="store_true", help="print every file with its licence, addresses and sha256")


def _download(arguments: argparse.Namespace) -> int:
    from leadwise.download import as_markdown, download

    try:
        if arguments.list:
            print(as_markdown())
            return 0
        results = download(
            arguments.group,
            data=arguments.data,
            mirror=arguments.mirror,
            offline=arguments.offline,
            timeout=arguments.timeout,
        )
    except (ValueError, NotADirectoryError) as error:
        return _usage_error(error)
    return int(any(result.status == "failed" for result in results))


def _compare_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", required=True, help="AVB, ISCH, LBBB, RBBB, or a saved network's card")
    parser.add_argument("--record", required=True, metavar="PATH", help="a WFDB record, or a name of the course's list")
    parser.add_argument("--out", default="plots", metavar="DIR", help="folder for the figures (default: plots)")
    parser.add_argument("--weights", default="auto", help="published, embedded or auto (default)")
    parser.add_argument("--methods", nargs="+", metavar="NAME", help="methods (default: those of the course)")
    parser.add_argument("--start", type=float, default=0.0, metavar="S", help="start of the window (default: 0)")
    parser.add_argument("--target", help="explained class, its index or its name (default: the pathology)")


def _compare(arguments: argparse.Namespace) -> int:
    from leadwise import Network, load_ecg, load_ecg_model, load_record, records
    from leadwise.comparison import COMPARISON, compare

    try:
        saved = arguments.model.endswith((".json", ".safetensors"))
        model = Network.load(arguments.model) if saved else load_ecg_model(arguments.model, arguments.weights)
        target = int(arguments.target) if (arguments.target or "").isdigit() else arguments.target
        load = load_record if arguments.record in records() else load_ecg
        ecg = load(arguments.record)
        methods = arguments.methods or COMPARISON
        paths = compare(model, ecg, arguments.out, methods, target, start=arguments.start)
    except (ValueError, OSError) as error:
        return _usage_error(error)
    print(f"{len(paths)} figures in {paths[-1].parent}")
    return 0


def _class(text: str) -> int | str:
    """Return a class as the command line names it: an index or a name."""
    return int(text) if text.isdecimal() else text


def _cohort_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", help="PTB-XL, MIMIC-IV-ECG, a CinC challenge, or a packed data set")
    parser.add_argument(
        "--data-set",
        choices=("ptb-xl", "mimic-iv-ecg", "challenge", "packed"),
        help="which of these it is (default: what lies in the folder)",
    )
    parser.add_argument("--network", required=True, help="AVB, ISCH, LBBB or RBBB")
    parser.add_argument("--weights", default="auto", help="published, embedded or auto (default)")
    parser.add_argument("--method", default="lrp_epsilon", help="a method, see leadwise.METHODS (default: lrp_epsilon)")
    parser.add_argument("--target", type=_class, help="explained class, its name or its index (default: the finding)")
    parser.add_argument("--group", nargs="*", default=[], metavar="COLUMN", help="columns to group by, such as sex")
    parser.add_argument("--first", type=int, metavar="N", help="only the first N records")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--workers", type=int, metavar="N", help="processes on this machine (default: this one)")
    where.add_argument(
        "--scheduler", metavar="ADDRESS", help="a Dask scheduler, tcp://host:8786, or its scheduler file"
    )
    parser.add_argument("--device", help="where the network runs, such as cuda (default: cpu)")
    parser.add_argument("--chunk", type=int, default=16, metavar="N", help="records at once through the network")
    parser.add_argument("--rows", action="store_true", help="also write one row a record, in Parquet")
    parser.add_argument("--out", default="cohort", metavar="DIR", help="results (default: cohort)")


def _cohort(arguments: argparse.Namespace) -> int:
    from leadwise.cohort.command import run

    return run(arguments)


def _grade_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", help="submissions: anna.ipynb, or anna/07_reading_an_ecg.ipynb, and so on")
    parser.add_argument("--out", default="grades.csv", metavar="FILE", help="the table (default: grades.csv)")
    parser.add_argument("--notebooks", metavar="DIR", help="the course's own notebooks (default: the checkout's)")
    parser.add_argument("--cell", type=float, default=60, metavar="S", help="for a learner's cell (default: 60)")
    parser.add_argument("--limit", type=float, default=600, metavar="S", help="for a submission (default: 600)")


def _grade(arguments: argparse.Namespace) -> int:
    from leadwise.grading import grade, write_grades

    try:
        rows = grade(arguments.folder, arguments.notebooks, cell=arguments.cell, limit=arguments.limit)
        path = write_grades(rows, arguments.out)
    except (ValueError, OSError, RuntimeError) as error:
        return _usage_error(error)
    print(f"{len(rows)} rows in {path}")
    return 0


def _usage_error(message: object) -> int:
    print(f"leadwise: {message}", file=sys.stderr)
    return 2


COMMANDS = {
    "cohort": Command("explain a whole data set: means, groups, figures", _cohort_arguments, _cohort),
    "compare": Command("explain a recording by many methods: one figure each and a grid", _compare_arguments, _compare),
    "download": Command("fetch the real models, recordings and photographs", _download_arguments, _download),
    "grade": Command("run submitted notebooks and write what their checks say", _grade_arguments, _grade),
}


def main(argv: list[str] | None = None) -> int:
    """Run a command and return its exit code: 0 done, 1 something failed, 2 wrong usage, 130 interrupted."""
    parser = argparse.ArgumentParser(
        prog="python -m leadwise",
        description="From Saliency to Semantics: explanations of 12-lead ECG models. For teaching, not for diagnosis.",
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, command in COMMANDS.items():
        command.add_arguments(commands.add_parser(name, help=command.help, description=command.help))
    arguments = parser.parse_args(argv)
    try:
        return COMMANDS[arguments.command].run(arguments)
    except KeyboardInterrupt:
        print("leadwise: interrupted. The same command goes on from here.", file=sys.stderr)
        return 130
    except ModuleNotFoundError as error:
        return _usage_error(f"{error.name} is not installed. Run `make lab`, or `pip install -e .` in the checkout.")


if __name__ == "__main__":
    sys.exit(main())
