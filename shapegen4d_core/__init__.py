"""ShapeGen4D: a video of one object in, a sequence of meshes out."""

__version__ = "0.1.0"
