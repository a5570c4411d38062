"""Judging generated sequences against procedural ground truth."""
