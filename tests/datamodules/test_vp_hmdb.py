from pathlib import Path

from blackbox_anon.datamodules import VPHMDB51DataModule
from tests.data import hmdb, vp_hmdb
from tests.data.readers import reader
from tests.data.real import ROOT, needs_real_data
from tests.datamodules import vp


def module(labels: Path, videos: Path) -> VPHMDB51DataModule:
    return VPHMDB51DataModule(
        str(labels), hmdb_root=str(videos), batch_size=3, num_workers=0, reader=reader(2, 16)
    )


def test_one_set_is_both_halves_of_a_pair(
    vp_hmdb_root: Path, hmdb_root: Path, tmp_path: Path
) -> None:
    vp.assert_is_both_halves_of_a_pair(
        module(vp_hmdb_root, hmdb_root),
        module(vp_hmdb_root, hmdb_root),
        tmp_path,
        trained_on=hmdb.TRAIN,
        classes=hmdb.CLASSES,
        rows=vp_hmdb.ROWS,
    )


def test_alone_it_has_a_loader_for_each_role(vp_hmdb_root: Path, hmdb_root: Path) -> None:
    vp.assert_has_a_loader_for_each_role(module(vp_hmdb_root, hmdb_root))


@needs_real_data
def test_counts_as_published() -> None:
    vp.assert_counts(module(ROOT / "vp", ROOT / "hmdb51"), 3570, 1530, 51)
