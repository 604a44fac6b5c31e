"""Downloads against a server on this machine that behaves well or badly, and mirrors of real folders."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import leadwise
from leadwise import __main__ as cli
from leadwise import download as dl

ROOT = Path(__file__).resolve().parents[1]
CONTENT = bytes(range(256)) * 1024  # four chunks
OTHER = bytes(reversed(CONTENT))  # the same size, other content
SIZE = len(CONTENT)
HALF = SIZE // 2  # a whole number of chunks: what is kept when a connection breaks off


class Handler(BaseHTTPRequestHandler):
    """The first part of the path says how to answer. A method gets the number of this request, from 1."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.requests.append((self.path, self.headers.get("Range")))
        how = self.path.split("/")[1]
        getattr(self, how)(sum(path == self.path for path, _ in self.server.requests))

    def log_message(self, *_):
        pass

    def answer(self, body, status=200, sent=None, **headers):
        self.send_response(status)
        for name, value in {"Content_Length": len(body), **headers}.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        self.wfile.write(body[:sent])
        if sent is not None:
            self.close_connection = True

    def part(self, **headers):
        start = int(re.fullmatch(r"bytes=(\d+)-", self.headers["Range"])[1])
        span = f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}"
        self.answer(CONTENT[start:], 206, **{"Content_Range": span, **headers})

    def good(self, _):
        self.part() if self.headers.get("Range") else self.answer(CONTENT)

    def no_ranges(self, _):
        self.answer(CONTENT)

    def other_range(self, _):
        self.part(Content_Range="bytes 1-2/3") if self.headers.get("Range") else self.answer(CONTENT)

    def other_range_always(self, _):
        self.answer(CONTENT, 206, Content_Range="bytes 1-2/3")

    def no_such_range(self, _):
        self.answer(b"", 416) if self.headers.get("Range") else self.answer(CONTENT)

    def odd_length(self, _):
        self.answer(CONTENT, Content_Length="abc")
        self.close_connection = True

    def negative_length(self, _):
        self.answer(CONTENT, Content_Length="-5")
        self.close_connection = True

    def drip(self, _):  # a byte now and then: every one in time, and never an end
        self.answer(CONTENT, sent=10)
        self.leak()

    def drip_heads(self, _):
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Wait: ")
        self.leak()

    def leak(self):
        while not self.server.released.wait(0.05):
            self.wfile.write(b"x")
            self.wfile.flush()

    def wrong(self, _):
        self.answer(OTHER)

    def short(self, _):  # Content-Length promises more than the body holds, and no Range helps
        self.answer(CONTENT, sent=HALF)

    def breaks_once(self, request):
        self.good(request) if request > 1 else self.answer(CONTENT, sent=HALF)

    def busy_once(self, request):
        self.good(request) if request > 1 else self.answer(b"", 503)

    def missing(self, _):
        self.answer(b"no such file", 404)

    def small(self, _):
        self.answer(CONTENT[:100])

    def endless(self, _):  # no length: the connection's end ends the file
        self.send_response(200)
        self.end_headers()
        self.wfile.write(CONTENT * 2)
        self.close_connection = True

    def login(self, _):
        self.answer(b"<html>Please log in</html>", Content_Type="text/html; charset=utf-8")

    def stall(self, _):  # not one byte
        self.server.released.wait(10)
        self.close_connection = True

    def stall_midway(self, _):
        self.answer(CONTENT, sent=HALF)
        self.wfile.flush()
        self.server.released.wait(10)


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):  # a client that hangs up on us is part of the tests
        pass


@pytest.fixture
def server(monkeypatch):
    """A server in a thread; ``server.url("good")`` is an address that behaves like ``Handler.good``."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.delenv("LEADWISE_MIRROR", raising=False)
    with Server(("127.0.0.1", 0), Handler) as server:
        server.requests, server.released = [], threading.Event()
        server.host = f"127.0.0.1:{server.server_address[1]}"
        server.url = lambda how, name="file.bin": f"http://{server.host}/{how}/{name}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.released.set()
        server.shutdown()
        thread.join()


def entry(*urls, path="folder/file.bin", content=CONTENT, **more):
    return dl.File(
        **{"group": "ecgs", "title": "test", "licence": "CC0", "path": path, "urls": urls, "size": len(content)} | more,
        sha256=hashlib.sha256(content).hexdigest(),
    )


def fetch(file, data, **more):
    """Fetch one file with little patience."""
    return dl.Fetcher(data, [file], **{"timeout": 5.0, "pause": 0.001} | more).fetch(file)


def closed_port():
    """Host and port of a server that is no longer there."""
    with Server(("127.0.0.1", 0), Handler) as server:
        return f"127.0.0.1:{server.server_address[1]}"


def holds(data, *paths):
    """Say whether the folder holds exactly these files, partial and temporary ones included."""
    return {path.relative_to(data).as_posix() for path in data.rglob("*") if path.is_file()} == set(paths)


# --- one file from the network ---------------------------------------------------------------------------------------


def test_a_good_file_arrives_whole_and_a_second_run_asks_for_nothing(server, tmp_path):
    file = entry(server.url("good"))
    result = fetch(file, tmp_path)
    assert (result.status, result.detail) == ("came", f"from {server.host}")
    assert (tmp_path / file.path).read_bytes() == CONTENT
    assert holds(tmp_path, file.path)
    assert len(server.requests) == 1
    assert fetch(file, tmp_path).status == "present"
    assert len(server.requests) == 1


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_the_file_has_the_permissions_that_any_new_file_has(server, tmp_path):
    file = entry(server.url("good"))
    fetch(file, tmp_path)
    (tmp_path / "new").touch()
    assert (tmp_path / file.path).stat().st_mode == (tmp_path / "new").stat().st_mode


def test_a_damaged_file_is_replaced(server, tmp_path):
    file = entry(server.url("good"), path="file.bin")
    (tmp_path / file.path).write_bytes(OTHER)
    assert fetch(file, tmp_path).status == "came"
    assert (tmp_path / file.path).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("how", "attempts", "reason"),
    [
        ("missing", 1, "HTTP 404 Not Found"),
        ("wrong", 1, "its sha256 is not the registry's"),
        ("small", 1, f"offers 100 bytes; the registry says {SIZE}"),
        ("endless", 1, f"sends more than the {SIZE} bytes"),
        ("login", 1, "sent a web page"),
        ("short", 3, f"broke off after {HALF} of {SIZE} bytes"),
    ],
)
def test_a_bad_answer_fails_with_its_reason_and_leaves_no_file(server, tmp_path, how, attempts, reason):
    file = entry(server.url(how))
    result = fetch(file, tmp_path)
    assert result.status == "failed"
    assert f"{server.host}: {reason}" in result.detail
    assert len(server.requests) == attempts
    assert not (tmp_path / file.path).exists()


@pytest.mark.parametrize("how", ["busy_once", "breaks_once"])
def test_what_fails_once_is_tried_again(server, tmp_path, how):
    file = entry(server.url(how))
    assert fetch(file, tmp_path).status == "came"
    assert len(server.requests) == 2
    assert holds(tmp_path, file.path)


def test_what_broke_off_resumes_where_it_ended(server, tmp_path):
    file = entry(server.url("breaks_once"))
    assert fetch(file, tmp_path).status == "came"
    assert [range_ for _, range_ in server.requests] == [None, f"bytes={HALF}-"]


def test_a_later_run_resumes_what_an_interrupted_one_left(server, tmp_path):
    file = entry(server.url("short"), server.url("good"))
    assert fetch(entry(server.url("short")), tmp_path, attempts=1).status == "failed"
    assert holds(tmp_path, f"{file.path}.partial")
    assert fetch(file, tmp_path, attempts=1).status == "came"
    assert server.requests[-1] == ("/good/file.bin", f"bytes={HALF}-")
    assert (tmp_path / file.path).read_bytes() == CONTENT


def test_a_killed_run_leaves_a_partial_file_that_the_next_run_completes(server, tmp_path):
    file = entry(server.url("stall_midway"), server.url("good"))
    left = tmp_path / f"{file.path}.partial"
    code = (
        f"from pathlib import Path; from leadwise.download import *; Fetcher(Path({str(tmp_path)!r}), []).fetch({file})"
    )
    with subprocess.Popen([sys.executable, "-c", code]) as process:
        for _ in range(1000):
            if left.exists() and left.stat().st_size == HALF:
                break
            time.sleep(0.01)
        process.kill()
    assert holds(tmp_path, f"{file.path}.partial")
    assert left.read_bytes() == CONTENT[:HALF]
    assert fetch(replace(file, urls=file.urls[1:]), tmp_path).status == "came"
    assert server.requests[-1] == ("/good/file.bin", f"bytes={HALF}-")
    assert (tmp_path / file.path).read_bytes() == CONTENT


@pytest.mark.parametrize("how", ["good", "no_ranges"])
@pytest.mark.parametrize("left", [OTHER[:HALF], OTHER, CONTENT * 2], ids=["other start", "other file", "too much"])
def test_a_useless_partial_file_is_restarted_clean(server, tmp_path, how, left):
    file = entry(server.url(how), path="file.bin")
    (tmp_path / "file.bin.partial").write_bytes(left)
    assert fetch(file, tmp_path).status == "came"
    assert (tmp_path / file.path).read_bytes() == CONTENT
    assert holds(tmp_path, file.path)


@pytest.mark.parametrize("how", ["other_range", "no_such_range"])
def test_after_another_part_than_asked_for_the_whole_is_asked_for(server, tmp_path, how):
    file = entry(server.url(how), path="file.bin")
    (tmp_path / "file.bin.partial").write_bytes(CONTENT[:HALF])
    assert fetch(file, tmp_path).status == "came"
    assert [span for _, span in server.requests] == [f"bytes={HALF}-", None]


def test_a_wrong_part_leaves_nothing_that_fails_the_next_run_too(server, tmp_path):
    file = entry(server.url("other_range"), path="file.bin")
    (tmp_path / "file.bin.partial").write_bytes(CONTENT[:HALF])
    assert "another part" in fetch(file, tmp_path, attempts=1).detail
    assert not list(tmp_path.iterdir())
    assert fetch(file, tmp_path, attempts=1).status == "came"
    assert "another part" in fetch(entry(server.url("other_range_always"), path="two.bin"), tmp_path).detail


@pytest.mark.parametrize("how", ["odd_length", "negative_length"])
def test_a_length_that_is_no_number_is_not_needed(server, tmp_path, how):
    result = fetch(entry(server.url(how)), tmp_path)
    assert result.status == "came", result.detail


def test_an_odd_address_fails_alone(server, tmp_path):
    for url in ("http://[::1", "http://a..b/file.bin", "gopher://x/file.bin", "http://127.0.0.1:99999/file.bin"):
        assert fetch(entry(url), tmp_path).status == "failed"


@pytest.mark.parametrize("how", ["drip", "drip_heads"])
def test_a_dripping_server_is_given_up_and_not_asked_again(server, tmp_path, how):
    files = [entry(server.url(how, name), path=name) for name in ("one.bin", "two.bin")]
    fetcher = dl.Fetcher(tmp_path, files, timeout=0.3, pause=0.001, attempts=2)
    began = time.monotonic()
    results = [fetcher.fetch(file) for file in files]
    assert time.monotonic() - began < 8
    assert "too slow: less than 65.5 kB in 0.3 s" in results[0].detail
    assert "did not answer before" in results[1].detail


@pytest.mark.skipif(os.name == "nt", reason="links need a right on Windows")
def test_a_linked_partial_file_is_not_written_through(server, tmp_path):
    (tmp_path / "precious.txt").write_text("mine")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "file.bin.partial").symlink_to(tmp_path / "precious.txt")
    assert fetch(entry(server.url("good"), path="file.bin"), tmp_path / "data").status == "came"
    assert (tmp_path / "precious.txt").read_text() == "mine"
    assert (tmp_path / "data" / "file.bin").read_bytes() == CONTENT
    os.mkfifo(tmp_path / "data" / "pipe.bin.partial")  # would wait for a reader for ever
    assert fetch(entry(server.url("good"), path="pipe.bin"), tmp_path / "data").status == "came"


def test_addresses_are_tried_in_order(server, tmp_path):
    file = entry(server.url("missing"), server.url("wrong"), server.url("good"), server.url("never"))
    assert fetch(file, tmp_path).status == "came"
    assert [path.split("/")[1] for path, _ in server.requests] == ["missing", "wrong", "good"]


@pytest.mark.parametrize("how", ["stall", "stall_midway"])
def test_a_stalled_server_is_given_up(server, tmp_path, how):
    file = entry(server.url(how))
    result = fetch(file, tmp_path, timeout=0.2, attempts=1)
    assert result.status == "failed"
    assert "no data for 0.2 s" in result.detail
    assert not (tmp_path / file.path).exists()


def test_after_a_stall_another_address_goes_on_from_the_same_byte(server, tmp_path):
    file = entry(server.url("stall_midway"), server.url("good"))
    assert fetch(file, tmp_path, timeout=0.2, attempts=1).status == "came"
    assert server.requests[-1] == ("/good/file.bin", f"bytes={HALF}-")


def test_a_host_that_does_not_answer_is_not_waited_for_twice(server, tmp_path):
    files = [entry(server.url("stall", name), path=name) for name in ("a", "b")]
    fetcher = dl.Fetcher(tmp_path, files, timeout=0.2, attempts=2, pause=0.001)
    details = [fetcher.fetch(file).detail for file in files]
    assert "no data" in details[0]
    assert "did not answer before" in details[1]
    assert len(server.requests) == 2


def test_nobody_listens(server, tmp_path):
    file = entry(f"http://{closed_port()}/file.bin")
    assert "no connection (NewConnectionError)" in fetch(file, tmp_path, attempts=1).detail


# --- a data folder that cannot be written ----------------------------------------------------------------------------


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full, the device that is always full")
def test_a_full_disk_is_named_and_nothing_is_left(server, tmp_path, monkeypatch):
    file, real = entry(server.url("good"), path="file.bin"), Path.open
    monkeypatch.setattr(
        Path, "open", lambda path, *mode: real(Path("/dev/full") if path.suffix == ".partial" else path, *mode)
    )
    result = fetch(file, tmp_path)
    assert result.status == "failed"
    assert "the disk is full" in result.detail
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def read_only():
    """A folder that this process may not write to; root gives up its powers for the time of the test."""
    if not hasattr(os, "geteuid"):
        pytest.skip("POSIX permissions")
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o555)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    yield folder
    if root:
        os.seteuid(0)
    folder.chmod(0o755)
    shutil.rmtree(folder)


@pytest.mark.parametrize("path", ["file.bin", "folder/file.bin"])
def test_a_read_only_folder_is_named(server, read_only, path):
    result = fetch(entry(server.url("good"), path=path), read_only)
    assert result.status == "failed"
    assert str(read_only) in result.detail
    assert "no permission to write there. Choose another data folder with --data DIR or LEADWISE_DATA" in result.detail


def test_a_folder_where_the_file_should_be_is_named_and_kept(server, tmp_path):
    file = entry(server.url("good"))
    (tmp_path / file.path / "inside").mkdir(parents=True)
    result = fetch(file, tmp_path)
    assert result.status == "failed"
    assert "a folder lies where the file is expected" in result.detail
    assert (tmp_path / file.path / "inside").is_dir()
    assert server.requests == []


@pytest.mark.parametrize("path", ["folder/file.bin", "folder/deeper/file.bin"])
def test_a_file_where_a_folder_should_be_is_named(server, tmp_path, path):
    (tmp_path / "folder").touch()
    result = fetch(entry(server.url("good"), path=path), tmp_path)
    assert result.status == "failed"
    assert "a file where a folder is expected" in result.detail


# --- mirrors ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def mirror(tmp_path):
    """A folder that holds the file under another name, among others of its size and of its name."""
    folder = tmp_path / "mirror"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "renamed.dat").write_bytes(CONTENT)
    (folder / "file.bin").write_bytes(OTHER)
    (folder / "note.txt").write_text("of another size")
    return folder


def test_a_mirror_gives_the_file_by_its_content(server, tmp_path, mirror):
    file = entry(server.url("good"))
    result = fetch(file, tmp_path / "data", mirror=mirror)
    assert (result.status, result.detail) == ("came", f"from {mirror / 'deep' / 'renamed.dat'}")
    assert (tmp_path / "data" / file.path).read_bytes() == CONTENT
    assert holds(tmp_path / "data", file.path)
    assert server.requests == []


def test_a_mirror_is_hashed_once_and_only_where_the_size_fits(tmp_path, mirror, monkeypatch):
    hashed = []
    real = dl.pooch.file_hash
    monkeypatch.setattr(dl.pooch, "file_hash", lambda path: hashed.append(Path(path).name) or real(path))
    files = [entry(path="one.bin"), entry(path="two.bin"), entry(path="three.bin", content=b"nowhere")]
    fetcher = dl.Fetcher(tmp_path / "data", files, mirror)
    assert [fetcher.fetch(file).status for file in files] == ["came", "came", "mirror only"]
    assert sorted(hashed) == ["file.bin", "renamed.dat"]


def test_a_big_mirror_with_the_usual_names_is_not_hashed_as_a_whole(tmp_path, mirror, monkeypatch):
    (mirror / "file.bin").write_bytes(CONTENT)
    (mirror / "before.dat").write_bytes(OTHER)
    hashed = []
    real = dl.pooch.file_hash
    monkeypatch.setattr(dl.pooch, "file_hash", lambda path: hashed.append(Path(path).name) or real(path))
    assert dl.search_mirror(mirror, [entry()]) == {entry().sha256: mirror / "file.bin"}
    assert hashed == ["file.bin"]


def test_the_network_gives_what_the_mirror_lacks_and_the_result_says_so(server, tmp_path, mirror):
    (mirror / "deep" / "renamed.dat").unlink()
    result = fetch(entry(server.url("good")), tmp_path / "data", mirror=mirror)
    assert (result.status, result.detail) == ("came", f"not in the mirror folder; from {server.host}")


def test_offline_never_uses_the_network(server, tmp_path, mirror):
    (mirror / "deep" / "renamed.dat").unlink()
    result = fetch(entry(server.url("good")), tmp_path / "data", mirror=mirror, offline=True)
    assert (result.status, result.detail) == ("failed", "not in the mirror folder")
    result = fetch(entry(server.url("good")), tmp_path / "data", offline=True)
    assert (result.status, result.detail) == ("failed", "offline, and no --mirror")
    assert server.requests == []


def test_a_mirror_file_that_changes_underway_is_refused(tmp_path, mirror):
    file = entry()
    fetcher = dl.Fetcher(tmp_path / "data", [file], mirror)
    assert fetcher.mirrored
    (mirror / "deep" / "renamed.dat").write_bytes(OTHER)
    result = fetcher.fetch(file)
    assert result.status == "failed"
    assert "sha256" in result.detail
    assert holds(tmp_path / "data")


# --- the command line ------------------------------------------------------------------------------------------------


@pytest.fixture
def small_registry(server, monkeypatch):
    """Put three files of three groups in the place of the real registry."""
    files = (
        entry(server.url("good", "a"), path="a", group="ecgs"),
        entry(server.url("missing"), path="b", group="images"),
        entry(path="c", content=b"nowhere", group="alexnet"),
    )
    monkeypatch.setattr(dl, "registry", lambda: files)
    return files


def test_exit_codes_and_summary(small_registry, tmp_path, capsys):
    run = partial(cli.main, ["download", "--data", str(tmp_path)])
    assert cli.main(["download", "ecgs", "alexnet", "--data", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert f"{tmp_path}: 1 came, 1 mirror only" in out
    assert "no public address" in out
    assert run() == 1
    out = capsys.readouterr().out
    assert re.search(r"^present +262 kB +a$", out, re.MULTILINE)
    assert re.search(r"^failed +262 kB +b +127\.0\.0\.1:\d+: HTTP 404 Not Found$", out, re.MULTILINE)
    assert f"{tmp_path}: 1 present, 1 mirror only, 1 failed" in out
    assert "Try the same command again" in out


def test_the_mirror_may_come_from_the_environment(small_registry, server, data_dir, mirror, monkeypatch, capsys):
    monkeypatch.setenv("LEADWISE_MIRROR", str(mirror))
    assert cli.main(["download"]) == 0
    assert f"{data_dir}: 2 came, 1 mirror only" in capsys.readouterr().out
    assert server.requests == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["pictures"], "no group 'pictures'; expected one of alexnet, ecg-models, ecgs, images, vgg16,"),
        (["--mirror", "/no/such/folder"], "the mirror /no/such/folder is not a folder."),
    ],
)
def test_wrong_usage(arguments, message, data_dir, capsys):
    assert cli.main(["download", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_an_interrupted_run_says_how_to_go_on(monkeypatch, capsys):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(dl, "download", interrupt)
    assert cli.main(["download"]) == 130
    assert "goes on from here" in capsys.readouterr().err


def run(*command, cwd=None, **environment):
    """Run a command without the variables that steer the course."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LEADWISE_")}
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=clean | environment, timeout=60)


def test_downloading_imports_no_torch(tmp_path):
    code = (
        "import sys; from leadwise.__main__ import main; main(['download', 'images', '--offline']); print(*sys.modules)"
    )
    done = run(sys.executable, "-W", "ignore", "-c", code, LEADWISE_DATA=str(tmp_path))
    modules = done.stdout.split()
    assert "leadwise.download" in modules
    assert not {"torch", "numpy", "matplotlib"} & set(modules)


@pytest.mark.skipif(os.name == "nt", reason="POSIX shell")
@pytest.mark.parametrize("name", ["alexnet", "ecg_models", "ecgs", "images"])
def test_the_shell_scripts_fetch_their_group_from_any_folder(name, tmp_path):
    script = ROOT / "data" / f"download_{name}.sh"
    assert os.access(script, os.X_OK)
    # Where there is no .venv the script takes the python3 of PATH: let it be this one.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = run(str(script), "--offline", "--data", "here", cwd=tmp_path, PATH=path)
    assert done.returncode == 1, done.stderr
    assert "here: " in done.stdout
    listed = {file.path for file in dl.registry() if file.path in done.stdout}
    assert listed == {file.path for file in dl.registry() if file.group == name.replace("_", "-")}


@pytest.mark.parametrize(("content", "how"), [(None, "--offline"), ("{not json", "--list")])
def test_an_unreadable_registry_is_named(content, how, tmp_path):
    path = tmp_path / "mine.json"
    if content:
        path.write_text(content)
    done = run(sys.executable, "-m", "leadwise", "download", "alexnet", how, LEADWISE_REGISTRY=str(path))
    assert done.returncode == 2
    assert f"{path} is not a readable registry" in done.stderr
    assert "Check LEADWISE_REGISTRY." in done.stderr


REGISTERED = {
    "groups": {"a": "something"},
    "sources": {"s": {"group": "a", "title": "t", "licence": "CC0", "mirrors": ["http://127.0.0.1:9/"]}},
    "files": [{"source": "s", "path": "a/b.bin", "remote": "b.bin", "size": 1, "sha256": "0" * 64}],
}


@pytest.mark.parametrize(
    ("where", "value", "reason"),
    [
        (("files", 0, "path"), "../x", "the path '../x' leaves the data folder"),
        (("files", 0, "path"), "a/../../x", "leaves the data folder"),
        (("files", 0, "path"), "/etc/x", "leaves the data folder"),
        (("files", 0, "path"), "C:\\x", "leaves the data folder"),
        (("files", 0, "path"), "", "leaves the data folder"),
        (("files", 0, "path"), 5, "int"),
        (("files", 0, "source"), "elsewhere", "no 'elsewhere'"),
        (("files", 0, "sha256"), "abc", "a sha256 of 64 hexadecimal digits"),
        (("files", 0, "size"), "1", "a size in bytes"),
        (("files", 0, "colour"), "red", "colour"),
        (("sources", "s", "group"), "b", "no group 'b'"),
        (("sources", "s", "mirrors"), "http://127.0.0.1:9/", "expected a list of addresses"),
        (("files",), {"a": 1}, "not a readable registry"),
        (("groups",), None, "not a readable registry"),
    ],
)
def test_a_registry_that_is_wrong_is_refused_with_the_reason(where, value, reason, tmp_path, monkeypatch, capsys):
    content = json.loads(json.dumps(REGISTERED))
    place = content
    for key in where[:-1]:
        place = place[key]
    place[where[-1]] = value
    (tmp_path / "mine.json").write_text(json.dumps(content))
    monkeypatch.setenv("LEADWISE_REGISTRY", str(tmp_path / "mine.json"))
    assert cli.main(["download", "--offline", "--data", str(tmp_path / "data")]) == 2
    said = capsys.readouterr().err
    assert reason in said
    assert "Check LEADWISE_REGISTRY." in said


@pytest.mark.parametrize("content", ["", "{}", "[]", "null", "5", "[" * 100_000])
def test_an_empty_registry_is_named(content, tmp_path, monkeypatch, capsys):
    (tmp_path / "mine.json").write_text(content)
    monkeypatch.setenv("LEADWISE_REGISTRY", str(tmp_path / "mine.json"))
    assert cli.main(["download", "--list"]) == 2
    assert "is not a readable registry" in capsys.readouterr().err


def test_a_registry_without_files_says_so(tmp_path, monkeypatch, capsys):
    (tmp_path / "mine.json").write_text('{"groups": {}, "sources": {}, "files": []}')
    monkeypatch.setenv("LEADWISE_REGISTRY", str(tmp_path / "mine.json"))
    assert cli.main(["download", "--data", str(tmp_path)]) == 0
    assert "nothing to fetch" in capsys.readouterr().out
    assert dl.readable(0) == "0 B"


def test_whole_files_from_many_threads_do_not_collide(tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    from leadwise.paths import whole_file

    def write(number):
        with whole_file(tmp_path / "one.txt") as part:
            part.write_text(str(number) * 1000)
            time.sleep(0.001)
            assert part.read_text() == str(number) * 1000

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(write, [number % 10 for number in range(300)]))
    assert [path.name for path in tmp_path.iterdir()] == ["one.txt"]
    assert len(set((tmp_path / "one.txt").read_text())) == 1


# --- the registry ----------------------------------------------------------------------------------------------------


def test_every_entry_is_complete():
    files = dl.registry()
    assert len({file.path for file in files}) == len(files)
    assert {file.group for file in files} == set(dl.groups())
    for file in files:
        assert re.fullmatch(r"[0-9a-f]{64}", file.sha256), file.path
        assert file.size > 0
        assert file.licence, file.path
        assert file.citation, file.path
        assert file.page.startswith("https://")
        assert all(url.startswith("https://") and url.endswith(Path(file.path).name) for url in file.urls), file.path
        assert file.urls or "mirror" in file.note, file.path
        assert not Path(file.path).is_absolute()
        assert ".." not in Path(file.path).parts


def test_the_files_that_the_course_names_are_there():
    paths = {file.path for file in dl.registry()}
    assert {
        f"ecg_models/{m}/{n}" for m in ("AVB", "ISCH", "LBBB", "RBBB") for n in ("model.json", "weights.h5")
    } < paths
    assert {f"ecgs/ptb-xl/{r}_hr.{e}" for r in ("02906", "03509", "12131", "14493") for e in ("hea", "dat")} < paths
    assert "alexnet/alexnet-owt-7be5be79.pth" in paths
    assert len([path for path in paths if path.startswith("images/")]) >= 5


def test_ptb_xl_addresses_follow_its_folders():
    """PTB-XL 1.0.3 keeps record 12131 in records500/12000."""
    for file in dl.registry():
        if file.path.startswith("ecgs/ptb-xl/"):
            name = Path(file.path).name
            assert file.urls[0] == f"https://physionet.org/files/ptb-xl/1.0.3/records500/{name[:2]}000/{name}"


def test_alexnet_has_the_hash_that_pytorch_put_into_its_name():
    [file] = [file for file in dl.registry() if file.group == "alexnet"]
    assert re.search(r"-([0-9a-f]{8})\.pth$", file.urls[0])[1] == file.sha256[:8]


def test_the_photograph_that_matplotlib_ships_is_the_registered_one():
    from matplotlib import cbook

    [file] = [file for file in dl.registry() if file.path == "images/grace_hopper.jpg"]
    with cbook.get_sample_data("grace_hopper.jpg") as photograph:
        assert hashlib.sha256(photograph.read()).hexdigest() == file.sha256


def test_the_registry_lies_in_the_package_and_its_page_is_up_to_date(capsys):
    assert dl.REGISTRY.parent == Path(leadwise.__file__).parent
    assert cli.main(["download", "--list"]) == 0
    page = ROOT / "data" / "registry.md"
    remedy = "run: python -m leadwise download --list > data/registry.md"
    assert page.read_text(encoding="utf-8") == capsys.readouterr().out, remedy


def test_the_registry_has_one_line_per_file():
    """Otherwise a change of one hash hides in a diff."""
    lines = [line for line in dl.REGISTRY.read_text(encoding="utf-8").splitlines() if '"sha256"' in line]
    assert len(lines) == len(dl.registry())
    assert all(json.loads(line.strip().rstrip(","))["sha256"] for line in lines)


# --- the reference material as a mirror ------------------------------------------------------------------------------


def test_the_reference_folder_serves_as_a_mirror(reference, tmp_path):
    lines = []
    results = dl.download(["ecg-models", "ecgs"], data=tmp_path, mirror=reference, offline=True, say=lines.append)
    came = [result.file.path for result in results if result.status == "came"]
    assert sum(path.startswith("ecg_models/") for path in came) == 8
    assert sum(path.startswith("ecgs/cinc2021/") for path in came) == 26
    assert sum(path.startswith("ecgs/excerpts/") for path in came) == 2
    for path in sorted(reference.glob("ecg/cinc2021/*")):
        assert (tmp_path / "ecgs" / "cinc2021" / path.name).read_bytes() == path.read_bytes()
    again = dl.download(["ecg-models", "ecgs"], data=tmp_path, offline=True, say=lines.append)
    assert [result.file.path for result in again if result.status == "present"] == came


def test_the_registry_has_the_published_hashes(reference):
    """reference/sha256.txt lists hashes from a second public copy of PTB-XL and AIME2024."""
    facts = {file.urls[0]: (file.sha256, file.size) for file in dl.registry() if file.urls}
    for line in (reference / "sha256.txt").read_text().splitlines():
        if line.startswith("#"):
            continue
        sha256, size, name = line.split(maxsplit=2)
        assert [fact for url, fact in facts.items() if url.endswith(name.split()[-1])] == [(sha256, int(size))], name
