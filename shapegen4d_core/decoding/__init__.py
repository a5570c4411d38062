"""Latents to meshes: field sampling, surface extraction, clean-up."""

from .decode import DecodedFrame, FrameDecoder, decode_field, decode_sequence, make_sampler
from .settings import DecodeSettings

__all__ = ["DecodeSettings", "DecodedFrame", "FrameDecoder", "decode_field", "decode_sequence", "make_sampler"]
