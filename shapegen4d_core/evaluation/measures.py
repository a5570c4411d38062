"""The measures by name: what they are called, which way is better, and what a failure counts as."""

from __future__ import annotations

from dataclasses import dataclass

from ..geometry.distances import FAILED_CHAMFER

FAILED_RATIO = 10.0
"""What a failed sequence counts as where a ratio or a drift has no worst value."""


@dataclass(frozen=True)
class Measure:
    """``title`` for people, whether higher is better (None: neither), the value of a failure, digits to print."""

    title: str
    higher: bool | None
    worst: float
    digits: int = 3


MEASURES = {
    "iou": Measure("IoU", True, 0.0),
    "iou_near": Measure("IoU near the surface", True, 0.0),
    "chamfer": Measure("Chamfer", False, FAILED_CHAMFER),
    "f_0.01": Measure("F @ 0.01", True, 0.0),
    "f_0.02": Measure("F @ 0.02", True, 0.0),
    "f_0.05": Measure("F @ 0.05", True, 0.0),
    "jitter": Measure("jitter / true", False, FAILED_RATIO, 2),
    "jitter_vae": Measure("jitter / reconstruction", False, FAILED_RATIO, 2),
    "point_jitter": Measure("point jitter", False, FAILED_RATIO, 4),
    "volume_drift": Measure("volume drift", False, 1.0),
    "strain": Measure("edge strain", None, FAILED_RATIO),
    "abnormal_edges": Measure("abnormal edges", False, 1.0),
    "surface_distance": Measure("point to surface", False, FAILED_CHAMFER),
    "cd_3d": Measure("CD-3D", False, FAILED_CHAMFER),
    "cd_4d": Measure("CD-4D", False, FAILED_CHAMFER),
    "cd_m": Measure("CD-M", False, FAILED_CHAMFER),
    "cd_3d_isotropic": Measure("CD-3D isotropic", False, FAILED_CHAMFER),
    "cd_4d_isotropic": Measure("CD-4D isotropic", False, FAILED_CHAMFER),
    "cd_m_isotropic": Measure("CD-M isotropic", False, FAILED_CHAMFER),
    "psnr": Measure("PSNR", True, 0.0, 2),
    "ssim": Measure("SSIM", True, 0.0),
    "silhouette_iou": Measure("silhouette IoU", True, 0.0),
    "lpips": Measure("LPIPS", False, 1.0),
    "clip": Measure("CLIP image-image", True, 0.0),
    "dreamsim": Measure("DreamSim", False, 1.0),
    "fvd_pair": Measure("squared I3D distance per pair", False, 1e4, 1),
}
