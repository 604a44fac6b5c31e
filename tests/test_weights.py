"""Published weights: what is converted, what is refused, and what load_ecg_model finds."""

import contextlib
import json
import re
import shutil

import h5py
import numpy as np
import pytest
import torch

from leadwise import load_ecg_model
from leadwise.networks.ecg_net import ECGNet
from leadwise.networks.weights import (
    KERAS_ARCHITECTURE,
    KERAS_LAYERS,
    WeightsError,
    convert_keras,
    load_safetensors,
    save_safetensors,
)


@pytest.fixture
def keras(tmp_path):
    """A model.json and a weights.h5 of the published form with random weights, and the arrays by path."""
    rng = np.random.default_rng(0)
    layers = []
    names = iter(KERAS_LAYERS)
    for kind, settings in KERAS_ARCHITECTURE:
        config = {key: value for key, value in settings.items() if key != "optional"} | settings.get("optional", {})
        config["name"] = next(names) if kind in ("Conv1D", "Dense") else kind.lower()
        layers.append({"class_name": kind, "config": config})
    (tmp_path / "model.json").write_text(json.dumps({"class_name": "Sequential", "config": {"layers": layers}}))
    arrays = {}
    with h5py.File(tmp_path / "weights.h5", "w") as file:
        for layer, module in KERAS_LAYERS.items():
            weight = dict(ECGNet().named_parameters())[f"{module}.weight"]
            arrays[f"{layer}/kernel"] = rng.normal(0, 0.1, tuple(weight.shape)[::-1])
            arrays[f"{layer}/bias"] = rng.normal(0, 0.1, weight.shape[0])
            for part in ("kernel", "bias"):
                file[f"{layer}/{layer}/{part}:0"] = arrays[f"{layer}/{part}"].astype(np.float32)
    return tmp_path, arrays


def keras_forward(x, arrays):
    """The published network in numpy, in Keras's layout (T, channels): what the port must compute."""

    def elu(z):
        return np.where(z > 0, z, np.expm1(np.minimum(z, 0)))

    for layer in [name for name in KERAS_LAYERS if name.startswith("conv")]:
        padded = np.pad(x, ((1, 1), (0, 0)))
        x = elu(sum(padded[i : i + len(x)] @ arrays[f"{layer}/kernel"][i] for i in range(3)) + arrays[f"{layer}/bias"])
        x = x[: len(x) // 2 * 2].reshape(len(x) // 2, 2, -1).max(1)
    x = x.mean(0)
    for layer in ("dense", "dense_1", "dense_2"):
        x = elu(x @ arrays[f"{layer}/kernel"] + arrays[f"{layer}/bias"])
    return x @ arrays["dense_3/kernel"] + arrays["dense_3/bias"]


def test_conversion_computes_what_keras_computes(keras):
    folder, arrays = keras
    model = convert_keras(folder / "model.json", folder / "weights.h5").eval()
    x = np.random.default_rng(1).normal(size=(101, 12))
    with torch.no_grad():
        logits = model(torch.tensor(x.T, dtype=torch.float32))
    np.testing.assert_allclose(logits.numpy(), keras_forward(x, arrays), atol=1e-5)


def test_the_published_architecture():
    model = ECGNet()
    assert sum(weight.numel() for weight in model.parameters()) == 64_386
    assert model(torch.zeros(3, 12, 2000)).shape == (3, 2)
    assert model(torch.zeros(12, 2000)).shape == (2,)


@pytest.mark.parametrize(("shape", "message"), [((1, 2000, 12), "leads before time"), ((12, 20), "at least 32")])
def test_input_of_another_form_is_refused(shape, message):
    with pytest.raises(ValueError, match=message):
        ECGNet()(torch.zeros(shape))


def rewrite(path, layer, values):
    with h5py.File(path, "a") as file:
        del file[layer]
        if values is not None:
            file[layer] = values


@pytest.mark.parametrize(
    ("layer", "values", "message"),
    [
        ("conv1d_2/conv1d_2/kernel:0", None, "no array 'conv1d_2/conv1d_2/kernel:0'"),
        ("dense_1", None, "no layer 'dense_1'"),
        (
            "conv1d/conv1d/kernel:0",
            np.zeros((3, 8, 64)),
            "'block1.conv.weight' has shape (64, 8, 3); expected (64, 12",
        ),
        ("dense/dense/bias:0", np.full(64, np.nan), "'dense1.linear.bias' holds NaN"),
    ],
)
def test_wrong_arrays_are_named(keras, layer, values, message):
    folder, _ = keras
    rewrite(folder / "weights.h5", layer, values)
    with pytest.raises(WeightsError) as error:
        convert_keras(folder / "model.json", folder / "weights.h5")
    assert message in str(error.value)


def test_a_truncated_file_is_refused(keras):
    folder, _ = keras
    data = (folder / "weights.h5").read_bytes()
    (folder / "weights.h5").write_bytes(data[: len(data) // 2])
    with pytest.raises(WeightsError, match="not a readable HDF5 file"):
        convert_keras(folder / "model.json", folder / "weights.h5")


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda layers: layers.pop(7), "layer 7 is "),
        (lambda layers: layers[2]["config"].update(activation="relu"), "activation 'relu'; expected 'elu'"),
        (lambda layers: layers[1]["config"].update(kernel_size=[5]), "kernel_size 5; expected 3"),
        (lambda layers: layers[4]["config"].update(dilation_rate=[2]), "'conv1d_1' has dilation_rate 2; expected 1"),
        (lambda layers: layers[4]["config"].update(activation="relu"), "'conv1d_1' has activation 'relu'"),
        (lambda layers: layers[4]["config"].update(use_bias=False), "'conv1d_1' has use_bias False; expected True"),
        (lambda layers: layers[4]["config"].update(use_bias=1), "has use_bias 1; expected True"),
        (lambda layers: layers[4]["config"].update(groups=2), "'conv1d_1' has groups 2; expected 1"),
        (lambda layers: layers[4]["config"].pop("dilation_rate"), "has dilation_rate None; expected 1"),
        (lambda layers: layers[4]["config"].update(strides=[2]), "has strides 2; expected 1"),
        (lambda layers: layers[4]["config"].update(padding="causal"), "has padding 'causal'; expected 'same'"),
        (lambda layers: layers[3]["config"].update(pool_size=[3]), "has pool_size 3; expected 2"),
        (lambda layers: layers[3]["config"].update(padding="same"), "has padding 'same'; expected 'valid'"),
        (lambda layers: layers[-2]["config"].update(units=3), "'dense_3' has units 3; expected 2"),
        (lambda layers: layers[-2]["config"].update(activation="softmax"), "has activation 'softmax'"),
        (lambda layers: layers[-1]["config"].update(axis=0), "has axis 0; expected -1"),
        (lambda layers: layers[4]["config"].update(name="conv1d_2"), "expected ['conv1d', 'conv1d_1'"),
        (lambda layers: layers.append({"class_name": "Dense", "config": {}}), "the published architecture has the end"),
    ],
)
def test_another_architecture_is_refused(keras, edit, message):
    folder, _ = keras
    structure = json.loads((folder / "model.json").read_text())
    edit(structure["config"]["layers"])
    (folder / "model.json").write_text(json.dumps(structure))
    with pytest.raises(WeightsError, match=re.escape(message)):
        convert_keras(folder / "model.json", folder / "weights.h5")


def test_a_model_that_is_not_sequential_is_refused(keras):
    """The layers of a functional model may be wired otherwise than in the order of the list."""
    folder, _ = keras
    structure = json.loads((folder / "model.json").read_text()) | {"class_name": "Functional"}
    (folder / "model.json").write_text(json.dumps(structure))
    with pytest.raises(WeightsError, match="is 'Functional'; the published one is 'Sequential'"):
        convert_keras(folder / "model.json", folder / "weights.h5")


@pytest.mark.parametrize("text", ["<html>404</html>", "[]", '{"class_name": "Sequential", "config": {"layers": [5]}}'])
def test_a_structure_that_is_no_description_is_refused(keras, text):
    folder, _ = keras
    (folder / "model.json").write_text(text)
    with pytest.raises(WeightsError, match="not a Keras model description"):
        convert_keras(folder / "model.json", folder / "weights.h5")


def test_safetensors_round_trip(tmp_path):
    model, again = ECGNet(), ECGNet()
    save_safetensors(model, tmp_path / "w.safetensors", seed="1")
    assert load_safetensors(again, tmp_path / "w.safetensors") == {"seed": "1"}
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))
    assert [path.name for path in tmp_path.iterdir()] == ["w.safetensors"]


def test_a_damaged_safetensors_file_is_refused(tmp_path):
    save_safetensors(ECGNet(), tmp_path / "w.safetensors")
    data = (tmp_path / "w.safetensors").read_bytes()
    (tmp_path / "w.safetensors").write_bytes(data[:1000])
    with pytest.raises(WeightsError, match="not a readable safetensors file"):
        load_safetensors(ECGNet(), tmp_path / "w.safetensors")


def flipped(content: bytes, rng: np.random.Generator) -> bytes:
    """A copy with one to three bits turned over."""
    damaged = bytearray(content)
    for place in rng.choice(8 * len(content), rng.integers(1, 4), replace=False):
        damaged[place // 8] ^= 1 << place % 8
    return bytes(damaged)


class TestLoading:
    @pytest.fixture
    def published(self, keras, data_dir, register):
        folder = data_dir / "ecg_models" / "LBBB"
        folder.mkdir(parents=True)
        for name in ("model.json", "weights.h5"):
            shutil.copy(keras[0] / name, folder / name)
        register("ecg_models/LBBB/model.json", "ecg_models/LBBB/weights.h5")
        return folder

    def test_published_weights_are_converted_once_and_said(self, published, capsys, monkeypatch):
        model = load_ecg_model("LBBB")
        assert (model.pathology, model.source, model.training) == ("LBBB", "published", False)
        assert capsys.readouterr().out == "LBBB model: published weights\n"
        assert (published / "weights.safetensors").is_file()
        monkeypatch.setattr("leadwise.networks.weights.convert_keras", None)
        again = load_ecg_model("LBBB", "published")
        assert capsys.readouterr().out == ""
        x = torch.ones(12, 64)
        assert torch.equal(model(x), again(x))

    def test_other_weights_than_the_registrys_are_not_published(self, published):
        load_ecg_model("LBBB", "published")
        with h5py.File(published / "weights.h5", "a") as file:
            file["dense_3/dense_3/bias:0"][...] = 5.0
        for choice in ("published", "auto"):
            with pytest.raises(WeightsError, match=r"sha256 is .* the registry says .*download ecg-models"):
                load_ecg_model("LBBB", choice)
        model = convert_keras(published / "model.json", published / "weights.h5")
        assert (model.source, model.output.bias.tolist()) == ("converted", [5.0, 5.0])

    def test_a_new_download_is_converted_again(self, published, register):
        before = load_ecg_model("LBBB", "published")(torch.ones(12, 64))
        with h5py.File(published / "weights.h5", "a") as file:
            file["dense_3/dense_3/bias:0"][...] = 5.0
        register("ecg_models/LBBB/model.json", "ecg_models/LBBB/weights.h5")
        assert not torch.equal(load_ecg_model("LBBB", "published")(torch.ones(12, 64)), before)

    def test_what_the_registry_does_not_know_is_not_published(self, published, register):
        register("ecg_models/LBBB/model.json")
        with pytest.raises(WeightsError, match=r"the registry has no ecg_models/LBBB/weights.h5"):
            load_ecg_model("LBBB", "published")

    def test_damaged_files_never_load_as_published(self, published):
        """Bits turned over, files cut, and pieces of one file in another: 0 of 300 get through."""
        rng = np.random.default_rng(14)
        for number in range(300):
            path = published / ("weights.h5", "model.json")[number % 3 == 0]
            whole = path.read_bytes()
            cut = whole[: rng.integers(len(whole))]
            path.write_bytes((cut, cut + bytes(len(whole) - len(cut)), flipped(whole, rng))[min(number % 7, 2)])
            with pytest.raises(WeightsError):
                load_ecg_model("LBBB", "published")
            path.write_bytes(whole)
        assert load_ecg_model("LBBB", "published").source == "published"

    def test_a_damaged_conversion_never_counts(self, published):
        """The weights that come out are those of the download, whatever has become of the conversion."""
        right = load_ecg_model("LBBB", "published").state_dict()
        converted, rng = published / "weights.safetensors", np.random.default_rng(15)
        whole = converted.read_bytes()
        for number in range(200):
            converted.write_bytes(whole[: rng.integers(len(whole))] if number % 5 == 0 else flipped(whole, rng))
            found = load_ecg_model("LBBB", "published").state_dict()
            assert all(torch.equal(found[name], right[name]) for name in right)

    def test_damaged_files_are_refused_or_read_and_never_end_in_a_foreign_error(self, keras):
        """``convert_keras`` takes anybody's weights, so nothing vouches for them; but h5py's errors stay inside."""
        folder, rng = keras[0], np.random.default_rng(16)
        for _ in range(200):
            content = bytearray((keras[0] / "weights.h5").read_bytes())
            for place in rng.integers(0, 20_000, rng.integers(1, 6)):  # where the structure stands
                content[place] = rng.integers(256)
            (folder / "damaged.h5").write_bytes(content)
            with contextlib.suppress(WeightsError):
                assert convert_keras(folder / "model.json", folder / "damaged.h5").source == "converted"

    def test_auto_falls_back_on_the_embedded_weights_and_says_so(self, data_dir, capsys):
        assert load_ecg_model("RBBB").source == "embedded"
        assert capsys.readouterr().out == "RBBB model: embedded weights\n"

    def test_missing_published_weights_name_the_command(self, data_dir):
        with pytest.raises(WeightsError, match="python -m leadwise download ecg-models"):
            load_ecg_model("AVB", "published")

    @pytest.mark.parametrize("arguments", [("LAFB",), ("LBBB", "imagenet")])
    def test_unknown_names(self, arguments):
        with pytest.raises(ValueError, match="expected"):
            load_ecg_model(*arguments)


def test_the_real_published_weights_load_as_such(reference, data_dir):
    for name in ("AVB", "ISCH", "LBBB", "RBBB"):
        shutil.copytree(reference / "models" / name, data_dir / "ecg_models" / name)
        assert load_ecg_model(name, verbose=False).source == "published"
