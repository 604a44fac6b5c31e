"""Fetch the real models, recordings and photographs, from a mirror folder or the network, verified by sha256.

``registry.json`` beside this file, or the file that ``LEADWISE_REGISTRY`` names, says what there is. pooch verifies and
moves: a file appears under its final name whole and with the right content, or not at all. Until then it lies beside
its target as ``NAME.partial``, from where the next attempt resumes.
"""

import errno
import json
import os
import re
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from http.client import HTTPException
from pathlib import Path
from queue import Empty, Queue
from urllib.parse import urlsplit

import pooch
import requests
from tqdm import tqdm

from leadwise.paths import data_dir

REGISTRY = Path(__file__).with_name("registry.json")
CHUNK = 1 << 16
BIG = 5_000_000  # bytes; a bigger file shows its progress bar even where the output is not a terminal
BUSY = (408, 425, 429, 500, 502, 503, 504)  # HTTP answers that a second attempt may change
STATUSES = ("came", "present", "mirror only", "failed")

ELSEWHERE = "Choose another data folder with --data DIR or LEADWISE_DATA."
UNWRITABLE = {
    errno.ENOSPC: "the disk is full. Free some space and try again. " + ELSEWHERE,
    errno.EDQUOT: "your disk quota is used up. Free some space and try again. " + ELSEWHERE,
    errno.EACCES: "no permission to write there. " + ELSEWHERE,
    errno.EPERM: "no permission to write there. " + ELSEWHERE,
    errno.EROFS: "the file system is read-only. " + ELSEWHERE,
    errno.ENOTDIR: "a part of this path is a file where a folder is expected. " + ELSEWHERE,
    errno.EEXIST: "a part of this path is a file where a folder is expected. " + ELSEWHERE,
    errno.EISDIR: "a folder lies where the file is expected. Move it away.",
}


@dataclass(frozen=True)
class File:
    """One downloadable file.

    Parameters
    ----------
    group : what the learner asks for, a key of :func:`groups`
    title : what it belongs to
    path : place inside the data folder
    urls : addresses, tried in order; none where it comes from a mirror folder only
    size : bytes
    rounded : True where the size is known to a hundredth only; then the sha256 alone says whether a file is whole
    asked : True for what "all" leaves out, because it is large: it comes when its group is asked for by name
    sha256 : of the content, hexadecimal
    licence, citation, page, note : where it comes from and what to know about it
    """

    group: str
    title: str
    path: str
    urls: tuple[str, ...]
    size: int
    sha256: str
    licence: str
    citation: str = ""
    page: str = ""
    note: str = ""
    rounded: bool = False
    asked: bool = False

    def may_have(self, size: int) -> bool:
        """Say whether a file of this many bytes may be this one."""
        return abs(size - self.size) <= self.size // 100 if self.rounded else size == self.size


@dataclass(frozen=True)
class Result:
    """What became of a file: its status (one of ``STATUSES``), and from where it came or why not."""

    file: File
    status: str
    detail: str = ""

    def __str__(self):
        return f"{self.status:11}  {readable(self.file.size):>8}  {self.file.path:34}  {self.detail}".rstrip()


class _FailedAttempt(Exception):
    """One attempt failed; ``again``: another one may succeed; ``silent``: the host did not answer, or hardly.

    ``restart``: what was kept of earlier attempts is of no use with this host.
    """

    def __init__(self, reason: str, again: bool = False, silent: bool = False, restart: bool = False):
        super().__init__(reason)
        self.again, self.silent, self.restart = again, silent, restart


def _registry() -> tuple[dict[str, str], tuple[File, ...]]:
    """Return groups and files, of the package or of ``LEADWISE_REGISTRY``; read again when that file changes."""
    path = Path(os.environ.get("LEADWISE_REGISTRY") or REGISTRY).expanduser()
    try:
        return _parsed(path, path.stat().st_mtime_ns)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise ValueError(f"{path} is not a readable registry ({reason}). Check LEADWISE_REGISTRY.") from error


@lru_cache(maxsize=4)
def _parsed(path: Path, changed: int) -> tuple[dict[str, str], tuple[File, ...]]:
    content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise TypeError(f"a {type(content).__name__}; expected groups, sources and files")
    groups, files = dict(content["groups"]), tuple(_entry(fields, content["sources"]) for fields in content["files"])
    strangers = sorted({file.group for file in files} - set(groups))
    if strangers:
        raise ValueError(f"no group {strangers[0]!r}, which a file names")
    return groups, files


def _entry(fields: dict, sources: dict) -> File:
    """Return a file of the registry: what its source says, and its own fields before that."""
    fields = sources[fields["source"]] | fields
    remote, mirrors = fields.pop("remote"), fields.pop("mirrors")
    del fields["source"]
    if not isinstance(mirrors, list):
        raise TypeError(f"the mirrors of {fields.get('path')} are {mirrors!r}; expected a list of addresses")
    file = File(urls=tuple(mirror + remote for mirror in mirrors), **fields)
    if not _stays_inside(file.path):
        raise ValueError(f"the path {file.path!r} leaves the data folder")
    if not isinstance(file.size, int) or file.size < 0 or not re.fullmatch("[0-9a-f]{64}", file.sha256):
        raise ValueError(f"{file.path} needs a size in bytes and a sha256 of 64 hexadecimal digits")
    return file


def _stays_inside(path: str) -> bool:
    """Say whether a path of the registry names a file below the folder that it is joined to, on any system."""
    parts = path.split("/")
    return all(part not in ("", ".", "..") for part in parts) and not re.search(r"[\\:\x00]", path)


def groups() -> dict[str, str]:
    """Return the groups that can be asked for: name -> what it is.

    >>> "ecg-models" in groups()
    True
    """
    return _registry()[0]


def registry() -> tuple[File, ...]:
    """Return every downloadable file, in the order of ``registry.json``.

    Raises
    ------
    ValueError : the registry cannot be read, lacks something, or names a path outside the data folder
    """
    return _registry()[1]


def file_at(place: str) -> File | None:
    """Return the registry's file of a path inside the data folder, or None where there is none.

    >>> file_at("ecg_models/AVB/weights.h5").size
    311000
    """
    return next((file for file in registry() if file.path == place), None)


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file, hexadecimal."""
    return pooch.file_hash(str(path))


def readable(size: int) -> str:
    """Return a number of bytes as text, such as "311 kB"."""
    scale, unit = next((pair for pair in ((1e6, "MB"), (1e3, "kB")) if size >= pair[0]), (1, "B"))
    return f"{size / scale:.3g} {unit}"


def matches(path: Path, file: File) -> bool:
    """Say whether the file at ``path`` has the size and the sha256 of the registry."""
    return path.is_file() and file.may_have(path.stat().st_size) and sha256_of(path) == file.sha256


def search_mirror(mirror: Path, wanted: Iterable[File]) -> dict[str, Path]:
    """Find wanted files in a folder by their content, whatever they are called: sha256 -> path.

    Only files of a wanted size are hashed, each once, those of a wanted name first, and no more than needed.
    """
    wanted = list(wanted)
    missing = {file.sha256 for file in wanted}
    names = {Path(file.path).name for file in wanted}
    walk = (Path(folder, name) for folder, _, found in os.walk(mirror) for name in found)
    candidates = [
        path
        for path in walk
        if path.is_file() and any(file.may_have(path.stat().st_size) for file in wanted) and os.access(path, os.R_OK)
    ]
    found = {}
    for path in sorted(candidates, key=lambda path: (path.name not in names, path)):
        if not missing:
            break
        sha256 = sha256_of(path)
        if sha256 in missing:
            missing.remove(sha256)
            found[sha256] = path
    return found


@dataclass
class Fetcher:
    """Bring files into the data folder, one at a time.

    Parameters
    ----------
    data : the data folder; made when the first file comes
    files : all that will be asked for, so that the mirror is searched once
    mirror : folder to look in before the network, or None
    offline : never use the network
    timeout : seconds in which the answer, and then each further 64 kB, must have come; else the attempt counts as
        stalled, also where the server lets a byte drip now and then
    attempts : for each address
    pause : seconds before the second attempt, doubled before each further one
    """

    data: Path
    files: list[File]
    mirror: Path | None = None
    offline: bool = False
    timeout: float = 15.0
    attempts: int = 3
    pause: float = 1.0
    silent_hosts: set[str] = field(default_factory=set)  # did not answer: the next file does not wait for them again

    @cached_property
    def mirrored(self) -> dict[str, Path]:
        """What the mirror holds, sha256 -> path; searched when the first file is missing."""
        return search_mirror(self.mirror, self.files) if self.mirror else {}

    def fetch(self, file: File) -> Result:
        """Bring one file; whatever goes wrong is in the result, not raised."""
        target = self.data / file.path
        try:
            if matches(target, file):
                return Result(file, "present")
            if target.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(target))
            if file.sha256 in self.mirrored:
                return self._from_mirror(file, target)
            if not file.urls:
                return Result(file, "mirror only", "no public address")
            if self.offline:
                return Result(file, "failed", "not in the mirror folder" if self.mirror else "offline, and no --mirror")
            return self._from_network(file, target)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                _partial(target).unlink(missing_ok=True)
            return Result(file, "failed", f"cannot write {target}: {UNWRITABLE.get(error.errno, error)}")

    def _from_mirror(self, file: File, target: Path) -> Result:
        source = self.mirrored[file.sha256]
        try:
            self._store(file, target, str(source), lambda partial: shutil.copyfile(source, partial))
        except _FailedAttempt as failure:
            return Result(file, "failed", f"{source}: {failure}")
        return Result(file, "came", f"from {source}")

    def _from_network(self, file: File, target: Path) -> Result:
        """Try each address in turn, each a few times."""
        reasons = ["not in the mirror folder"] if self.mirror else []
        for url in file.urls:
            host = _host(url)
            try:
                self._from_url(file, target, url, host)
            except _FailedAttempt as failure:
                reasons.append(f"{host}: {failure}")
            else:
                return Result(file, "came", "; ".join([*reasons, f"from {host}"]))
        return Result(file, "failed", "; ".join(reasons))

    def _from_url(self, file: File, target: Path, url: str, host: str) -> None:
        if host in self.silent_hosts:
            raise _FailedAttempt("did not answer before")
        for attempt in range(1, self.attempts + 1):
            try:
                return self._store(file, target, url, lambda partial: self._stream(file, url, partial))
            except _FailedAttempt as failure:
                if not failure.again or attempt == self.attempts:
                    if failure.silent:
                        self.silent_hosts.add(host)
                    raise
            time.sleep(self.pause * 2 ** (attempt - 1))

    def _store(self, file: File, target: Path, source: str, fill: Callable[[Path], object]) -> None:
        """Let ``fill`` complete the partial file; then pooch checks its sha256 and moves it to ``target``.

        It is not pooch that downloads, because a failure deletes its temporary file (so nothing could resume), and
        because only the owner may read that file (so a teacher could not share the folder).
        """
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = _partial(target)
        if partial.is_symlink() or (partial.exists() and not partial.is_file() and not partial.is_dir()):
            partial.unlink()  # to write through a link or into a pipe would change what lies elsewhere
        resumed = partial.is_file() and partial.stat().st_size > 0
        fill(partial)
        pooch.get_logger().setLevel("WARNING")
        try:
            pooch.retrieve(
                source,
                known_hash=f"sha256:{file.sha256}",
                fname=target.name,
                path=target.parent,
                downloader=lambda _url, temporary, _pooch: partial.replace(temporary),
            )
        except ValueError as error:  # pooch has deleted the file; what was resumed may have been the culprit
            raise _FailedAttempt("its sha256 is not the registry's", again=resumed) from error

    def _stream(self, file: File, url: str, partial: Path) -> None:
        """Complete ``partial`` from ``url``, going on where an earlier attempt broke off."""
        have, size = partial.stat().st_size if partial.is_file() else 0, file.size
        if have == file.size and not file.rounded:
            return
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if 0 < have < file.size else {})
        answer = None
        try:
            with _Transfer(url, headers, self.timeout) as transfer:
                answer = transfer.next()
                have, size = _check(answer, file, have)
                with partial.open("ab" if have else "wb") as output, _progress_bar(file, have) as bar:
                    while chunk := transfer.next():
                        output.write(chunk)
                        bar.update(len(chunk))
                        have += len(chunk)
                        if have > size:
                            raise _FailedAttempt(f"sends more than the {size} bytes that the registry says")
        except _FailedAttempt as failure:
            if failure.restart:
                partial.unlink(missing_ok=True)
            raise
        except requests.exceptions.ChunkedEncodingError:
            pass  # cut short
        except (requests.ConnectionError, requests.Timeout, HTTPException) as error:
            silent = answer is None or isinstance(error, _Dripping)
            raise _FailedAttempt(_why_no_answer(error, self.timeout), again=True, silent=silent) from error
        except (requests.RequestException, ValueError) as error:
            raise _FailedAttempt(str(error)) from error
        if have < size and not (file.rounded and file.may_have(have) and size == file.size):
            raise _FailedAttempt(f"broke off after {have} of {size} bytes", again=True)


class _Dripping(requests.Timeout):
    """Bytes come, but too slowly ever to end."""


class _Transfer:
    """A request whose answer, and then its content, arrive in a thread, so that waiting for them can have an end.

    The timeout of a socket begins anew with every byte: alone, it lets a server drip for days.
    """

    def __init__(self, url: str, headers: dict[str, str], timeout: float):
        self.url, self.headers, self.timeout = url, headers, timeout
        self.arrived: Queue = Queue()  # the answer, chunks, then b"" or what went wrong
        self.room, self.left = threading.Semaphore(16), threading.Event()

    def __enter__(self):
        threading.Thread(target=self._receive, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.left.set()
        self.room.release()

    def _receive(self) -> None:
        try:
            with requests.get(self.url, headers=self.headers, stream=True, timeout=self.timeout) as answer:
                self.arrived.put(answer)
                for chunk in answer.iter_content(CHUNK):
                    self.room.acquire()
                    if self.left.is_set():
                        return
                    self.arrived.put(chunk)
            self.arrived.put(b"")
        except Exception as error:
            self.arrived.put(error)

    def next(self):
        """Return the answer, then chunk after chunk, then b""; raise what went wrong, or Timeout."""
        try:
            item = self.arrived.get(timeout=self.timeout + 1)  # a socket that hears nothing at all speaks first
        except Empty:
            raise _Dripping from None
        self.room.release()
        if isinstance(item, Exception):
            raise item
        return item


def _host(url: str) -> str:
    try:
        return urlsplit(url).netloc
    except ValueError:  # no address: the attempt to reach it says so
        return url


def _partial(target: Path) -> Path:
    return target.with_name(target.name + ".partial")


def _progress_bar(file: File, have: int) -> tqdm:
    hidden = None if file.size < BIG else False  # None: where the output is not a terminal
    return tqdm(
        desc=Path(file.path).name, total=file.size, initial=have, unit="B", unit_scale=True, leave=False, disable=hidden
    )


def _check(answer: requests.Response, file: File, have: int) -> tuple[int, int]:
    """Return after which byte the answer sets in, ``have``, or 0 for a clean restart, and how many the file has.

    Raises if it isn't the file.

    Whatever is wrong with an answer to a request for the rest, the next request is for the whole.
    """
    if answer.status_code >= 400:
        unsuitable = have > 0 and answer.status_code == 416
        again = answer.status_code in BUSY or unsuitable
        raise _FailedAttempt(f"HTTP {answer.status_code} {answer.reason}", again=again, restart=unsuitable)
    if "text/html" in answer.headers.get("Content-Type", ""):
        raise _FailedAttempt("sent a web page instead of the file; is there a login page in between?")
    if answer.status_code != 206:
        have = 0
    elif not answer.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
        raise _FailedAttempt("sent another part of the file than asked for", again=have > 0, restart=True)
    length = answer.headers.get("Content-Length", "")
    size = have + int(length) if re.fullmatch("[0-9]{1,18}", length) else file.size  # else the content itself decides
    if not file.may_have(size) and "Content-Encoding" not in answer.headers:
        raise _FailedAttempt(f"offers {size} bytes; the registry says {file.size}", again=have > 0, restart=have > 0)
    return have, size if file.rounded and "Content-Encoding" not in answer.headers else file.size


def _why_no_answer(error: Exception, timeout: float) -> str:
    if isinstance(error, _Dripping):
        return f"too slow: less than {readable(CHUNK)} in {timeout:g} s"
    if isinstance(error, requests.Timeout) or "timed out" in str(error):
        return f"no data for {timeout:g} s"
    cause = error.args[0] if error.args else error
    return f"no connection ({type(getattr(cause, 'reason', cause)).__name__})"


def download(
    wanted: Iterable[str] = ("all",),
    *,
    data: str | Path | None = None,
    mirror: str | Path | None = None,
    offline: bool = False,
    say: Callable[[str], None] = print,
    **patience: float,
) -> list[Result]:
    """Bring the wanted groups of files into the data folder.

    A file that is there with the right content is left alone. Any other is taken from the mirror folder, else from
    its addresses in order, unless ``offline``.

    Parameters
    ----------
    wanted : names of :func:`groups`, or "all", which leaves out what is large and optional
    data : data folder; by default as in :func:`leadwise.paths.data_dir`
    mirror : folder that holds some of the files, under whatever names; by default ``$LEADWISE_MIRROR``
    offline : never use the network
    say : takes each line of the report
    **patience : ``timeout``, ``attempts``, ``pause`` of :class:`Fetcher`

    Raises
    ------
    ValueError : an unknown group, or an unreadable registry
    NotADirectoryError : the mirror is no folder
    """
    wanted = set(wanted)
    unknown = sorted(wanted - {*groups(), "all"})
    if unknown:
        raise ValueError(f"no group {unknown[0]!r}; expected one of {', '.join(groups())} or all.")
    files = [file for file in registry() if file.group in wanted or ("all" in wanted and not file.asked)]
    data = Path(data).expanduser() if data else data_dir()
    mirror = mirror or os.environ.get("LEADWISE_MIRROR")
    mirror = Path(mirror).expanduser() if mirror else None
    if mirror and not mirror.is_dir():
        raise NotADirectoryError(f"the mirror {mirror} is not a folder. Check --mirror and LEADWISE_MIRROR.")
    fetcher = Fetcher(data, files, mirror, offline, **patience)  # type: ignore[arg-type]
    results = []
    for file in files:
        results.append(fetcher.fetch(file))
        say(str(results[-1]))
    say(summary(results, data, offline))
    return results


def summary(results: list[Result], data: Path, offline: bool = False) -> str:
    """Return the last lines of the report: how many files came, were there, failed, and what to do about it."""
    counts = Counter(result.status for result in results)
    said = ", ".join(f"{counts[status]} {status}" for status in STATUSES if counts[status])
    text = f"{data}: {said or 'nothing to fetch: the registry names no such file'}"
    if counts["mirror only"]:
        text += "\nThe files marked 'mirror only' have no public address: --mirror DIR takes them from a folder."
    if counts["failed"] and not offline:
        text += "\nTry the same command again: what came is kept, what broke off resumes."
    return text


def as_markdown() -> str:
    """Return the registry as a page to read: what every file is, its licence, addresses, size and sha256."""
    lines = [
        "# Every downloadable file",
        "",
        "Written by `python -m leadwise download --list` from `src/leadwise/registry.json`; don't edit it by hand.",
        "The links are the addresses that the download tries, in this order.",
    ]
    for group, what in groups().items():
        files = [file for file in registry() if file.group == group]
        lines += ["", f"## {group}: {what} ({readable(sum(file.size for file in files))})"]
        for title in dict.fromkeys(file.title for file in files):
            part = [file for file in files if file.title == title]
            lines += ["", f"### [{title}]({part[0].page})", "", part[0].citation]
            if part[0].note:
                lines += ["", part[0].note]
            lines += ["", "| file | size | licence | addresses | sha256 |", "|---|---|---|---|---|", *map(_row, part)]
    return "\n".join(lines)


def _row(file: File) -> str:
    links = " ".join(f"[{_host(url)}]({url})" for url in file.urls) or "none"
    return f"| {file.path} | {readable(file.size)} | {file.licence} | {links} | `{file.sha256}` |"
