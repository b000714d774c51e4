"""A fake HMDB51: three classes, one without a clip in use; names as strange as the official."""

from pathlib import Path

from tests.data.ucf import write_avi

CLASSES = ("brush_hair", "cartwheel", "wave")
TRAIN = (
    "brush_hair/#1_Hair!!_[_NEW_]_brush_hair_u_nm_np1_ba_goo_0.avi",
    "wave/Mañana_&_más;_(2)_wave_f_cm_np1_fr_med_0.avi",
    "wave/21_wave_u_nm_np1_fr_goo_5.avi",
)
TEST = (
    "brush_hair/April_09_brush_hair_u_nm_np1_ba_goo_0.avi",
    "wave/Truman.Show_wave_f_nm_np1_fr_med_26.avi",
)
UNUSED = (
    "cartwheel/Pippi_cartwheel_f_cm_np2_le_med_6.avi",
    "wave/Extra_wave_f_nm_np1_fr_med_1.avi",
)
CODES = {1: TRAIN, 2: TEST, 0: UNUSED}


def make(root: Path) -> Path:
    write_splits(root)
    for seed, name in enumerate((*TRAIN, *TEST, *UNUSED)):
        write_avi(root / "hmdb51_org" / name, 12, seed=seed)
    return root


def write_splits(root: Path) -> None:
    folder = root / "testTrainMulti_7030_splits"
    folder.mkdir(parents=True)
    for split in (1, 2, 3):
        for action in CLASSES:
            lines = [
                f"{name.split('/')[1]} {code} \n"  # the official lines end in a space
                for code, names in CODES.items()
                for name in names
                if name.startswith(f"{action}/")
            ]
            file = folder / f"{action}_test_split{split}.txt"
            file.write_text("".join(lines), encoding="utf-8")
