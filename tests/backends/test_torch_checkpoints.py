"""What people save with torch: read, or named in one line; code in it never runs."""

import argparse
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch

from auxnas.backends.torch import read_checkpoint
from auxnas.compiler import CompilerError

VALUES = torch.arange(12.0).reshape(4, 3)
STATE = {"encoder.a": VALUES}


def meta(count: int) -> torch.Tensor:
    return torch.empty(count, device="meta")


@pytest.mark.parametrize(
    "saved",
    [
        STATE,
        OrderedDict(STATE),
        {"encoder.a": torch.nn.Parameter(VALUES)},
        {"encoder.a": VALUES.bfloat16()},
        {"encoder.a": VALUES.half()},
        {"encoder.a": VALUES.double()},
        {"encoder.a": VALUES.t().contiguous().t()},
        {"module.encoder.a": VALUES},
        {"_orig_mod.encoder.a": VALUES},
        {"state_dict": {"model.backbone.encoder.a": VALUES}},
        {"module._orig_mod.module.encoder.a": VALUES},
        {"encoder._orig_mod.a": VALUES},
        {"state_dict": {"module.encoder.a": VALUES}, "epoch": np.int64(3), "best": np.float32(1)},
        {"model": STATE, "ema": {"encoder.a": VALUES + 1}, "optimizer": {"state": {0: {}}}},
        {"epoch": 3, "ema": {"shadow": STATE}},
        {"model_state_dict": STATE, "args": "x", "lr": [1, 2]},
    ],
)
@pytest.mark.parametrize("zipped", [True, False])
def test_the_values_are_read(tmp_path, saved, zipped):
    torch.save(saved, tmp_path / "a.pth", _use_new_zipfile_serialization=zipped)
    found = read_checkpoint(tmp_path / "a.pth")
    assert [*found] == ["encoder.a"]
    assert found["encoder.a"].dtype == np.float32
    assert np.array_equal(found["encoder.a"], VALUES.numpy())


@pytest.mark.parametrize(
    ("saved", "message"),
    [
        ({"a": VALUES.to_sparse()}, "a.pth: a: a tensor of layout torch.sparse_coo"),
        ({"a": meta(3)}, "a.pth: a: a meta tensor, which has no values"),
        ({"a": meta(2**40)}, "a.pth: tensors of 1,099,511,627,776 numbers"),
        ({"a": torch.zeros(1).expand(10**12)}, "a.pth: tensors of 1,000,000,000,000 numbers"),
        ({"a": VALUES.to(torch.complex64)}, "a.pth: a: complex numbers"),
        ({"a": VALUES.to(torch.float8_e5m2)}, "a.pth: a: numbers of type float8_e5m2"),
        ({"a": VALUES, "module.a": VALUES}, "a.pth: a: twice, once wrapped"),
        ({"g": STATE, "d": STATE}, "a.pth: state dicts under g, d, expected one"),
        ({"a": VALUES, "n": 5}, "a.pth: a int under the key 'n'"),
        ({"a": np.zeros(3)}, "_reconstruct in it, which is made by running code"),
        ({"state_dict": STATE, "args": argparse.Namespace()}, "a argparse.Namespace in it"),
        (torch.nn.Linear(2, 2), "a torch.nn.modules.linear.Linear in it"),
        (VALUES, "a.pth: a Tensor, expected a state dict"),
    ],
)
def test_what_has_no_plain_values_is_named(tmp_path, saved, message):
    torch.save(saved, tmp_path / "a.pth")
    with pytest.raises(CompilerError) as caught:
        read_checkpoint(tmp_path / "a.pth")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.filterwarnings("ignore")  # quantised tensors go with torch's next version
def test_a_quantised_tensor_is_named(tmp_path):
    torch.save({"a": torch.quantize_per_tensor(VALUES, 0.1, 0, torch.qint8)}, tmp_path / "a.pth")
    with pytest.raises(CompilerError, match="a: a quantised tensor"):
        read_checkpoint(tmp_path / "a.pth")


@pytest.mark.parametrize(
    ("members", "message"),
    [
        (["hello.txt"], "an archive without a checkpoint in it"),
        (["a/data.pkl", "a/constants.pkl"], "a TorchScript archive"),
        (["a/archive_format"], "a torch.export program"),
    ],
)
def test_archives_of_other_kinds_are_named(tmp_path, members, message):
    with zipfile.ZipFile(tmp_path / "a.pth", "w") as archive:
        for name in members:
            archive.writestr(name, "x")
    with pytest.raises(CompilerError, match=message):
        read_checkpoint(tmp_path / "a.pth")


@pytest.mark.parametrize(
    "content", [b"", b"\x80", b"\x80\x02(.", b"PK\x03\x04", b"\x80\x02]q\x00."]
)
def test_damaged_files_are_one_line(tmp_path, content):
    (tmp_path / "a.pth").write_bytes(content)
    with pytest.raises(CompilerError, match=r"a\.pth: ") as caught:
        read_checkpoint(tmp_path / "a.pth")
    assert "\n" not in str(caught.value)


class Trap:
    def __reduce__(self):
        return Path.touch, (Path("trapped"),)


@pytest.mark.parametrize("saved", [{"a": Trap()}, {"state_dict": STATE, "extra": Trap()}, Trap()])
def test_code_does_not_run(tmp_path, monkeypatch, saved):
    monkeypatch.chdir(tmp_path)
    torch.save(saved, "a.pth")
    with pytest.raises(CompilerError, match="running code"):
        read_checkpoint(Path("a.pth"))
    assert not Path("trapped").exists()
