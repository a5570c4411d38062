"""All families of procedural animated objects by name; each draws its proportions once and poses itself at any time.

A family is a function ``build(rng) -> pose(u)`` where ``u`` in [0, 1) runs once through the clip. Objects stand along
+y and face +z. Lengths are free: the sequence is normalised to one box afterwards.
"""

from __future__ import annotations

from .creatures import biped, bird, fish, quadruped
from .held_out_motions import arm_turn, biped_bow, metaballs_orbit, pulsar_roll, quadruped_rear, spinner_rock
from .motion import PoseAt
from .things import arm, bender, flag, metaballs, plant, pulsar, spinner

_TRAINED = (quadruped, biped, metaballs, bender, pulsar, flag, plant, spinner, arm, fish)
TRAINING = {family.__name__: family for family in _TRAINED}
HELD_OUT = {bird.__name__: bird}
_MOTIONS = (quadruped_rear, biped_bow, metaballs_orbit, pulsar_roll, spinner_rock, arm_turn)
HELD_OUT_MOTIONS = {family.__name__: family for family in _MOTIONS}
FAMILIES = TRAINING | HELD_OUT | HELD_OUT_MOTIONS

__all__ = ["FAMILIES", "HELD_OUT", "HELD_OUT_MOTIONS", "TRAINING", "PoseAt"]
