"""The published Step1X-3D geometry files: what they are called, where they are and how large they are.

For messages about missing files, and for the download entries of workflows; nothing here downloads. Sizes and sums are
those of revision ``REVISION``. No heavy import, so that a list of choices may be made from it.
"""

from __future__ import annotations

from dataclasses import dataclass

REPOSITORY = "stepfun-ai/Step1X-3D"
REVISION = "bf7084495b3a72222f36549b7942948aa4d9daa7"
PAGE = f"https://huggingface.co/{REPOSITORY}"
BASE, LABEL = "Step1X-3D-Geometry-1300m", "Step1X-3D-Geometry-Label-1300m"
WEIGHTS = "diffusion_pytorch_model.safetensors"
INDEX_CLASS = "Step1X3DGeometryPipeline"  # what a model_index.json of these models names

# Part of a model -> its folder in the published layout, and the host's folder for single files of it.
FOLDERS = {"denoiser": "transformer", "vae": "vae", "image_encoder": "visual_encoder", "label_encoder": "label_encoder"}
DIRECTORIES = {
    "denoiser": "diffusion_models", "vae": "vae", "image_encoder": "clip_vision", "label_encoder": "shapegen4d"
}  # fmt: skip


@dataclass(frozen=True)
class PublishedFile:
    """One weight file: its ``model`` (a folder of the repository), the ``part`` it is, size in bytes and sum."""

    model: str
    part: str
    size: int
    sha256: str

    @property
    def place(self) -> str:
        """Path inside the folder of the model."""
        return f"{FOLDERS[self.part]}/{WEIGHTS}"

    @property
    def path(self) -> str:
        """Path inside the repository."""
        return f"{self.model}/{self.place}"

    @property
    def url(self) -> str:
        """Where it is downloaded from, at the revision whose sums are listed."""
        return f"{PAGE}/resolve/{REVISION}/{self.path}"

    @property
    def readable_size(self) -> str:
        """Size for people."""
        for unit, bytes_each in (("GB", 10**9), ("MB", 10**6)):
            if self.size >= bytes_each:
                return f"{self.size / bytes_each:.1f} {unit}"
        return f"{round(self.size / 1000)} kB"

    @property
    def directory(self) -> str:
        """Kind of the host's model folder it belongs in as a single file."""
        return DIRECTORIES[self.part]

    @property
    def name(self) -> str:
        """A name that tells it apart beside others: all published files are called the same."""
        return f"{self.model}-{FOLDERS[self.part]}.safetensors"

    @property
    def download(self) -> dict[str, str]:
        """Entry of a node's ``properties.models``, which lets the host's page offer the download."""
        return {"name": self.name, "url": self.url, "directory": self.directory}


FILES = (
    PublishedFile(
        BASE, "denoiser", 5265243816, "a8cfc27716009acc60035f2489a9b61de81790625b70aa27a682efc99a5137a9"
    ),
    PublishedFile(
        BASE, "vae", 766401652, "aa1b17360f6614a54ab3b971c966cfe64ff87a5445186b02c666e634b59c8302"
    ),
    PublishedFile(
        BASE, "image_encoder", 1217544216, "c07f8abe3af5db214e3341c9f23fb2351cb15591afdae0da8e835dfabc42e850"
    ),
    PublishedFile(
        LABEL, "denoiser", 5086980952, "0df096288471320f3fd566e94db628c3a36a697ae6fa55e60152b236fd5918aa"
    ),
    PublishedFile(
        LABEL, "vae", 766401652, "a9d764b4e3fdf377f1ba960215f2e91800fa6bf86ec5243340b96e22a0a7f781"
    ),
    PublishedFile(
        LABEL, "image_encoder", 2928089212, "f9b22f50296f1f63841c92a724c732bffee8051b59e830e9eac9a99af8d0e65e"
    ),
    PublishedFile(
        LABEL, "label_encoder", 33104, "1d7d76cfe4bc95f264421fa34076826bada5a218e63febabe69461d8c2607e4b"
    ),
)


def files_of(model: str) -> dict[str, PublishedFile]:
    """The weight files of a published model by part, none for another name."""
    return {file.part: file for file in FILES if file.model == model}


def downloads(model: str = BASE) -> list[dict[str, str]]:
    """The ``properties.models`` entries of all weight files of a published model."""
    return [file.download for file in files_of(model).values()]


def by_hash(sha256: str) -> PublishedFile | None:
    """The published file with this sum in hexadecimal digits."""
    return next((file for file in FILES if file.sha256 == sha256), None)


def where(part: str, model: str = BASE) -> str:
    """Words that say where the file of a part is published, to end a sentence with."""
    file = files_of(model)[part]
    return f"published as {file.path} ({file.readable_size}) at {PAGE}"
