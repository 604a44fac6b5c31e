"""Where the results of batches wait until all before them are there, and what a killed run resumes from.

Results come in any order and are merged in the order of their numbers, as a tree whose shape depends on how many there
are and on nothing else: floating-point sums depend on their order, so only a fixed order gives the same bits however
many workers there were and whichever of them died.
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leadwise.cohort.moments import CheckpointError, Cohort, check_settings, order_of
from leadwise.paths import whole_file

VERSION = 1


@dataclass(frozen=True)
class Order:
    """The names of records in their order, as a hash; merges as their cohorts do."""

    order: str

    def merge(self, other: "Order") -> "Order":
        """Return the hash that the merged cohort has."""
        return Order(order_of([self.order, other.order]))


class Tree:
    """Merges cohorts that come in order, two of the same size at a time, as a binary counter carries.

    Parameters
    ----------
    levels : (level, cohort): a cohort of level k holds 2 ** k batches
    """

    def __init__(self, levels: Iterable[tuple[int, Any]] = ()):
        self.levels = list(levels)

    def __len__(self):
        return sum(1 << level for level, _ in self.levels)

    def add(self, cohort: Any) -> None:
        """Merge the next batch's cohort, or its :class:`Order`."""
        level = 0
        while self.levels and self.levels[-1][0] == level:
            cohort = self.levels.pop()[1].merge(cohort)
            level += 1
        self.levels.append((level, cohort))

    def whole(self):
        """Return everything as one; None where there is nothing."""
        if not self.levels:
            return None
        whole = self.levels[-1][1]
        for _, cohort in reversed(self.levels[:-1]):
            whole = cohort.merge(whole)
        return whole


class Place:
    """A folder of whole files: a path, or an address that fsspec opens, such as ``s3://bucket/run``."""

    def __init__(self, place: str | Path):
        self.place, self.files, self.root = str(place), None, Path()
        if "://" in self.place:
            import fsspec

            self.files, root = fsspec.core.url_to_fs(self.place)
            self.root = Path(root)
        else:
            self.root = Path(place).expanduser()

    def names(self) -> list[str]:
        """Return the names of the files that are there, without those that a killed process left half written."""
        if self.files is None:
            there = [path.name for path in self.root.iterdir()] if self.root.is_dir() else []
        else:
            self.files.invalidate_cache()
            there = [Path(name).name for name in self.files.ls(self._at(""), detail=False)] if self._exists() else []
        return sorted(name for name in there if not name.startswith("."))

    def read(self, name: str) -> bytes:
        """Return the content of a file."""
        return (self.root / name).read_bytes() if self.files is None else self.files.cat_file(self._at(name))

    def write(self, name: str, data: bytes) -> None:
        """Write a file, complete or not at all."""
        if self.files is None:
            with whole_file(self.root / name) as part:
                part.write_bytes(data)
        else:
            self.files.makedirs(self._at(""), exist_ok=True)
            self.files.pipe_file(self._at(name), data)

    def remove(self, name: str) -> None:
        """Remove a file; one that is gone already may be."""
        if self.files is None:
            (self.root / name).unlink(missing_ok=True)
        elif self.files.exists(self._at(name)):
            self.files.rm_file(self._at(name))

    def _at(self, name: str) -> str:
        return (self.root / name).as_posix()

    def _exists(self) -> bool:
        return self.files.exists(self._at(""))


class Checkpoint:
    """The state of a run, in memory and, with a place, on a disk as well: nothing is lost, nothing counted twice.

    The place holds ``manifest.json`` (the settings), one ``batch-N.npz`` for each result that waits to be merged, and
    the newest ``merged-N.json`` with its ``.npz`` files: the tree of the first N batches. Every file is written whole;
    one that is older than the newest tree is ignored and removed.

    Parameters
    ----------
    settings : of the run, the size of its batches included
    place : folder or fsspec address; None keeps everything in memory
    every : batches between two savings of the tree

    Raises
    ------
    CheckpointError : the place holds another run, or is damaged
    """

    def __init__(self, settings: dict, place: str | Path | None = None, every: int = 32):
        self.settings, self.every = settings, every
        self.store = Place(place) if place is not None else None
        self.tree = Tree()
        self.waiting: dict[int, Cohort] = {}
        self.saved = 0
        if self.store is not None:
            self._open()
        self.found, self.orders = self.merged, Tree()  # what lay there, and the names that the records have now

    @property
    def merged(self) -> int:
        """Number of batches in the tree: the first so many."""
        return len(self.tree)

    def has(self, number: int) -> bool:
        """Say whether a batch's result is here."""
        return number < self.merged or number in self.waiting

    def add(self, number: int, cohort: Cohort) -> None:
        """Take the result of a batch in, once, and merge what can be merged."""
        if self.has(number):
            return
        cohort.settings = self.settings
        self.waiting[number] = cohort
        if self.store is not None:
            self.store.write(_batch(number), cohort.to_bytes())
        self._merge()
        if self.store is not None and self.merged - self.saved >= self.every:
            self.save()

    def recall(self, number: int, order: str) -> bool:
        """Say whether a batch's result is here; called for every batch in order.

        Raises
        ------
        CheckpointError : it is the result of other records
        """
        here = self.waiting[number].order == order if number in self.waiting else True
        if number < self.found:
            self.orders.add(Order(order))
            if number + 1 == self.found:
                here = self.orders.whole().order == self.whole().order
        if not here:
            raise CheckpointError(
                f"{self.store.place} was made from other records, or from these in another order (up to batch "
                f"{number}). A run resumes with the same records in the same order."
            )
        return self.has(number)

    def whole(self) -> Cohort:
        """Return the cohort of all batches that are merged."""
        return self.tree.whole() or Cohort(self.settings)

    def save(self) -> None:
        """Write the tree, then remove what it makes superfluous."""
        if self.store is None or self.merged == self.saved:
            return
        number = self.merged
        header = {"levels": [level for level, _ in self.tree.levels]}
        for level, cohort in self.tree.levels:
            self.store.write(f"tree-{number:08d}-{level:02d}.npz", cohort.to_bytes())
        self.store.write(f"merged-{number:08d}.json", json.dumps(header).encode())
        self.saved = number
        self._tidy()

    def _open(self) -> None:
        names = self.store.names()
        if "manifest.json" not in names:
            if names:
                raise CheckpointError(
                    f"{self.store.place} holds {names[0]!r} and no manifest.json; choose an empty folder."
                )
            self.store.write("manifest.json", json.dumps({"version": VERSION, "settings": self.settings}).encode())
            return
        check_settings(self.settings, read_manifest(self.store), f"{self.store.place} was made by another run")
        self.tree = read_tree(self.store, names)
        self.saved = self.merged
        for name in names:
            number = _number("batch", name)
            if number is not None and number >= self.merged:
                self.waiting[number] = Cohort.from_bytes(self.store.read(name), f"{self.store.place}/{name}")
        self._merge()
        self._tidy()

    def _merge(self) -> None:
        while self.merged in self.waiting:
            self.tree.add(self.waiting.pop(self.merged))

    def _tidy(self) -> None:
        newest = f"{self.saved:08d}"
        for name in self.store.names():
            batch, of_tree = _number("batch", name), re.match(r"(?:tree|merged)-(\d{8})", name)
            if (batch is not None and batch < self.saved) or (of_tree and of_tree[1] != newest):
                self.store.remove(name)


def read_manifest(store: Place) -> dict:
    """Return the settings of the run that a place holds."""
    try:
        held = json.loads(store.read("manifest.json"))
        if held["version"] != VERSION:
            raise CheckpointError(f"{store.place} is of version {held['version']}; expected {VERSION}. Start again.")
        return held["settings"]
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise CheckpointError(f"{store.place}/manifest.json is damaged ({error}). Remove the folder.") from error


def read_tree(store: Place, names: Sequence[str]) -> Tree:
    """Return the newest tree that a place holds, empty where there is none yet."""
    numbers = [number for number in (_number("merged", name, "json") for name in names) if number is not None]
    if not numbers:
        return Tree()
    header = json.loads(store.read(f"merged-{max(numbers):08d}.json"))
    parts = [(level, f"tree-{max(numbers):08d}-{level:02d}.npz") for level in header["levels"]]
    return Tree((level, Cohort.from_bytes(store.read(name), f"{store.place}/{name}")) for level, name in parts)


def load_checkpoint(place: str | Path) -> Cohort:
    """Return what a checkpoint holds so far: the cohort of the first batches, as far as none is missing.

    Raises
    ------
    FileNotFoundError : there is none
    CheckpointError : it is damaged
    """
    store = Place(place)
    if "manifest.json" not in store.names():
        raise FileNotFoundError(f"{place} holds no checkpoint: there is no manifest.json.")
    return Checkpoint(read_manifest(store), place).whole()


def _batch(number: int) -> str:
    return f"batch-{number:08d}.npz"


def _number(kind: str, name: str, ending: str = "npz") -> int | None:
    found = re.fullmatch(rf"{kind}-(\d{{8}})\.{ending}", name)
    return int(found[1]) if found else None
