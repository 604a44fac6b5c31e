"""VGG and ResNet beside AlexNet: random checkpoints of the right shapes, downloaded from a server of the test's own."""

import hashlib
import json
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import torch

from leadwise import NETWORKS, attribute, download
from leadwise.explorers import ImageExplorer, MethodGrid, NetworkExplorer
from leadwise.inspection import maximise_activation
from leadwise.networks import picture_nets
from leadwise.networks.network import network_of
from leadwise.networks.picture_nets import PICTURE_NETS, load_picture_net
from leadwise.networks.weights import WeightsError

torchvision = pytest.importorskip("torchvision.models")
pytestmark = pytest.mark.usefixtures("one_thread")


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def served(tmp_path, data_dir, monkeypatch):
    """Serve a random checkpoint of a network; the registry vouches for it, its size rounded to a hundredth."""
    folder = tmp_path / "server"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def serve(name, state):
        row = PICTURE_NETS[name]
        torch.save(state, folder / row.file)
        content = (folder / row.file).read_bytes()
        entry = {
            "source": "s", "path": f"picture_networks/{row.file}", "remote": row.file, "rounded": True,
            "size": round(1.004 * len(content)), "sha256": hashlib.sha256(content).hexdigest(),
        }  # fmt: skip
        address = f"http://127.0.0.1:{server.server_port}/"
        source = {"group": row.group, "title": "random", "licence": "CC0", "mirrors": [address], "asked": True}
        registry = {"groups": {row.group: "random"}, "sources": {"s": source}, "files": [entry]}
        path = tmp_path / "registry.json"
        path.write_text(json.dumps(registry))
        monkeypatch.setenv("LEADWISE_REGISTRY", str(path))
        return row

    yield serve
    server.shutdown()
    server.server_close()


def state_of(name, seed=0):
    torch.manual_seed(seed)
    return getattr(torchvision, PICTURE_NETS[name].builder)(weights=None).state_dict()


def test_a_resnet_is_fetched_explained_and_maximised(served):
    state = {key: value for key, value in state_of("ResNet50").items() if "num_batches" not in key}  # as older files
    row = served("ResNet50", state)
    with pytest.raises(WeightsError, match="python -m leadwise download resnet50"):
        NETWORKS["ResNet50"]
    assert download.download(["all"], say=lambda line: None) == []  # large ones come by name alone
    results = download.download([row.group], say=lambda line: None)
    assert [result.status for result in results] == ["came"]
    assert [result.status for result in download.download([row.group], say=lambda line: None)] == ["present"]
    net = NETWORKS["ResNet50"]
    x = net.input(np.random.default_rng(0).integers(0, 256, (300, 260, 3), np.uint8))
    assert x.shape == (1, 3, 224, 224)
    plain = torchvision.resnet50(weights=None).eval()
    plain.load_state_dict(state, strict=False)
    torch.testing.assert_close(net.probability(x), torch.softmax(plain(x), 1).detach(), atol=1e-6, rtol=1e-4)
    relevance = attribute(net, x, "gradient", net.index("tabby"))
    assert torch.isfinite(relevance).all()
    assert relevance.abs().sum() > 0
    strip = maximise_activation(net, target=3, shape=(3, 224, 224), steps=2, keep=2, progress=False)
    assert strip.strip.shape == (2, 1, 3, 224, 224)
    assert torch.isfinite(strip.activation).all()


@pytest.mark.parametrize("name", ["VGG16", "VGG19", "ResNet152"])
def test_the_stated_size_is_that_of_the_weights(name):
    with torch.device("meta"):
        state = getattr(torchvision, PICTURE_NETS[name].builder)(weights=None).state_dict()
    size = sum(4 * weights.numel() for key, weights in state.items() if "num_batches" not in key) / 1e6
    assert size == pytest.approx(PICTURE_NETS[name].megabytes, abs=1)


def test_binders_limit_is_heard(served, monkeypatch):
    row = served("ResNet50", {"a": torch.zeros(1)})
    download.download([row.group], say=lambda line: None)
    monkeypatch.setenv("MEM_LIMIT", "1073741824")
    with pytest.raises(WeightsError, match=r"ResNet50 needs about 1103 MB of memory; -?\d+ MB are left here"):
        load_picture_net("ResNet50")


def test_every_explorer_of_pictures_offers_them(served, patient):
    """What is not there says how to get it and changes nothing; what is there is explained and looked into."""
    row = served("ResNet50", state_of("ResNet50"))
    names = NETWORKS.names("image")
    assert {"AlexNet", *PICTURE_NETS} <= set(names)
    with (
        ImageExplorer(model="embedded", method="gradient") as explorer,
        NetworkExplorer("AlexNet", view="classes") as inside,
        MethodGrid(0, "embedded", ("gradient",)) as grid,
    ):
        for one in (explorer, inside, grid):
            control = one.controls["network"]
            assert [value for _, value in control.options] == names
            before = one.alt
            control.value = "ResNet50"
            one.wait()
            assert "download resnet50" in one.message.value
            assert (control.value, one.alt) == ("AlexNet", before)  # it is no previous picture
        download.download([row.group], say=lambda line: None)
        for one in (explorer, inside, grid):
            one.controls["network"].value = "ResNet50"
            one.wait()
            assert one.error is None, one.error
        assert "ResNet50 network" in explorer.alt
        assert "1000 classes" in inside.message.value
        assert any(name.startswith("layer4") for name in inside.layers)
        inside.controls["view"].value = "filters"
        assert "64 filters of 7 × 7" in inside.message.value
        inside.controls["view"].value = "maps"
        assert inside.error is None
        inside.controls["view"].value = "synthesis"
        inside.parameters["steps"].value = 8
        inside.synthesise(wait=True)
        assert inside.failure is None
        inside.controls["network"].value = "AlexNet"
        assert inside.error is None
        assert len(inside.class_names) < 1000


def test_too_little_memory_is_refused_with_the_number(served, monkeypatch):
    row = served("ResNet50", {"a": torch.zeros(1)})
    download.download([row.group], say=lambda line: None)
    monkeypatch.setattr(picture_nets, "memory_left", lambda: 300)
    with pytest.raises(WeightsError, match=r"ResNet50 needs about 1103 MB of memory; 300 MB are left here"):
        load_picture_net("ResNet50")
    monkeypatch.undo()


def test_another_file_is_refused(served):
    row = served("ResNet50", {"a": torch.zeros(1)})
    download.download([row.group], say=lambda line: None)
    with pytest.raises(WeightsError, match=r"no weights for 'conv1\.weight'"):
        load_picture_net("ResNet50")
    row.path.write_bytes(b"x" * row.path.stat().st_size)
    with pytest.raises(WeightsError, match="not the published file, or damaged"):
        load_picture_net("ResNet50")


def test_what_is_not_there_is_said(data_dir):
    with pytest.raises(ValueError, match="no 'embedded' weights of 'VGG16'"):
        NETWORKS.load("VGG16", "embedded")
    with pytest.raises(WeightsError, match=r"missing: vgg16-397923af.pth, 553 MB.*download vgg16"):
        NETWORKS["VGG16"]
    assert network_of(NETWORKS["AlexNet"]).layout == "NCHW"


def test_the_registry_names_every_network_and_its_hash_begins_as_its_file_name_says():
    files = {file.path: file for file in download.registry()}
    for row in PICTURE_NETS.values():
        file = files[f"picture_networks/{row.file}"]
        assert file.sha256.startswith(row.file.split("-")[1].removesuffix(".pth"))
        assert (file.group, file.asked) == (row.group, True)
        assert file.size / 1e6 == pytest.approx(row.megabytes, abs=1)
