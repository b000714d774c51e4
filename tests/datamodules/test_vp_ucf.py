from pathlib import Path

from blackbox_anon.datamodules import VPUCF101DataModule
from tests.data import ucf, vp_ucf
from tests.data.readers import reader
from tests.data.real import ROOT, needs_real_data
from tests.datamodules import vp


def module(labels: Path, videos: Path) -> VPUCF101DataModule:
    return VPUCF101DataModule(
        str(labels), ucf_root=str(videos), batch_size=3, num_workers=0, reader=reader(2, 16)
    )


def test_one_set_is_both_halves_of_a_pair(
    vp_ucf_root: Path, ucf_root: Path, tmp_path: Path
) -> None:
    vp.assert_is_both_halves_of_a_pair(
        module(vp_ucf_root, ucf_root),
        module(vp_ucf_root, ucf_root),
        tmp_path,
        trained_on=[name for name, _ in ucf.TRAIN],
        classes=ucf.CLASSES,
        rows=vp_ucf.ROWS,
    )


def test_alone_it_has_a_loader_for_each_role(vp_ucf_root: Path, ucf_root: Path) -> None:
    vp.assert_has_a_loader_for_each_role(module(vp_ucf_root, ucf_root))


@needs_real_data
def test_counts_as_published() -> None:
    vp.assert_counts(module(ROOT / "vp", ROOT / "ucf101"), 9537, 3783, 101)
