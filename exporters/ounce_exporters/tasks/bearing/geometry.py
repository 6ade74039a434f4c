"""Geometry of a ball bearing, and how often each of its parts strikes a localised fault."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class BearingGeometry:
    """Kinematics of a bearing whose outer race stands still and whose balls roll without slip.

    Orders are multiples of the shaft's rotation frequency. Source: Randall & Antoni (2011),
    Rolling element bearing diagnostics - a tutorial, Mechanical Systems and Signal Processing
    25(2), 485-520, equations 1 to 4.
    """

    n_balls: int
    ball_diameter_mm: float
    pitch_diameter_mm: float
    contact_angle_rad: float = 0.0

    @property
    def _ratio(self) -> float:
        return self.ball_diameter_mm / self.pitch_diameter_mm * math.cos(self.contact_angle_rad)

    @property
    def cage_order(self) -> float:
        """FTF, fundamental train frequency: rotation of the cage."""
        return (1 - self._ratio) / 2

    @property
    def outer_race_order(self) -> float:
        """BPFO, ball pass frequency of the outer race."""
        return self.n_balls * (1 - self._ratio) / 2

    @property
    def inner_race_order(self) -> float:
        """BPFI, ball pass frequency of the inner race."""
        return self.n_balls * (1 + self._ratio) / 2

    @property
    def ball_spin_order(self) -> float:
        """BSF, rotation of a ball about its own axis; its fault strikes a race twice per turn."""
        return self.pitch_diameter_mm / (2 * self.ball_diameter_mm) * (1 - self._ratio**2)


SKF_6205 = BearingGeometry(n_balls=9, ball_diameter_mm=7.94, pitch_diameter_mm=39.04)
"""The drive-end bearing of the test rig whose records are the field's common benchmark
(Case Western Reserve University Bearing Data Center)."""
