"""One heartbeat as a vector in space, and the twelve leads that look at it.

The heart's electrical activity is drawn as a vector that turns in three dimensions: x to the left, y to the feet,
z to the back (Frank's axes), in mV. Each phase of a wave (septum, apex, free wall, base ...) pushes the vector
in one direction for a while. A lead is a fixed direction, and sees the vector's component along it.

Lead directions: G. E. Dower, H. B. Machado, J. A. Osborne, "On deriving the electrocardiogram from vectorcardiographic
leads", Clinical Cardiology 3 (1980) 87-95. Their matrix maps Frank's X, Y, Z to I, II, V1-V6; its pseudo-inverse is
the "inverse Dower matrix" of L. Edenbrandt and O. Pahlm, J. Electrocardiology 21 (1988) 361-367.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from leadwise.ecg.leads import derive_limb_leads

INDEPENDENT_LEADS = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")
"""The eight leads that carry all the information of the twelve, in the order of the rows of ``DOWER``."""

DOWER = np.array(
    [
        [0.632, -0.235, 0.059],
        [0.235, 1.066, -0.132],
        [-0.515, 0.157, -0.917],
        [0.044, 0.164, -1.387],
        [0.882, 0.098, -1.277],
        [1.213, 0.127, -0.601],
        [1.125, 0.127, -0.086],
        [0.831, 0.076, 0.230],
    ]
)
"""Dower et al. 1980: rows I, II, V1-V6; columns X (left), Y (feet), Z (back)."""


def twelve_leads(independent: np.ndarray) -> np.ndarray:
    """Complete I, II, V1-V6 to twelve leads by the laws of Einthoven and Goldberger.

    Parameters
    ----------
    independent : ndarray (..., 8, T), mV, rows in the order of INDEPENDENT_LEADS

    Returns
    -------
    ndarray (..., 12, T), mV, rows in the order of ``leadwise.ecg.leads.LEADS``
    """
    limbs = derive_limb_leads(independent[..., 0, :], independent[..., 1, :])
    return np.concatenate([np.stack(list(limbs.values()), axis=-2), independent[..., 2:, :]], axis=-2)


def bump(time: np.ndarray, start: np.ndarray, end: np.ndarray, rise: np.ndarray, fall: np.ndarray) -> np.ndarray:
    """Evaluate the smooth pulse that every phase is made of: it rises, holds 1 from ``start`` to ``end``, and falls.

    ``(1 - u^2)^3`` with u running from -1 to 0 over ``rise`` and from 0 to 1 over ``fall``: twice differentiable at
    its ends and exactly zero beyond them, so that two beats that differ in one phase are equal elsewhere.
    All arguments broadcast and share a unit (here: ms).
    """
    u = np.maximum((start - time) / rise, (time - end) / fall)
    np.clip(u, 0.0, 1.0, out=u)
    u *= u
    np.subtract(1.0, u, out=u)
    return u * u * u


@dataclass(frozen=True)
class Phases:
    """The phases of one wave of one beat.

    Parameters
    ----------
    time : ndarray (K, 4), ms from the wave's reference point (P: its onset; QRS, ST and T: QRS onset).
        Columns: start and end of the plateau, rise before it, fall after it; see :func:`bump`
    vector : ndarray (K, 3), mV: the heart vector at the plateau
    """

    time: np.ndarray
    vector: np.ndarray

    def __add__(self, other: "Phases") -> "Phases":
        """Return the phases of both waves together."""
        return Phases(np.concatenate([self.time, other.time]), np.concatenate([self.vector, other.vector]))

    def __call__(self, time: np.ndarray) -> np.ndarray:
        """Return the heart vector (3, T) in mV at times (T,) in ms."""
        return self.vector.T @ self.pulses(time)

    def pulses(self, time: np.ndarray) -> np.ndarray:
        """Return how far each phase has risen, (K, T), 0 to 1, at times (T,) in ms."""
        return bump(time, *self.time.T[:, :, None])

    def scaled(self, gain: float) -> "Phases":
        """Return the wave with its vector multiplied."""
        return replace(self, vector=gain * self.vector)

    def turned(self, frontal: float, horizontal: float = 0.0) -> "Phases":
        """Return the wave turned in space; see :func:`rotation`."""
        return replace(self, vector=self.vector @ rotation(frontal, horizontal).T)

    def area(self) -> np.ndarray:
        """Return the heart vector's integral over time, (3,) in mV ms; a flank's area is 16/35 of its length."""
        start, end, rise, fall = self.time.T
        return (end - start + 16 / 35 * (rise + fall)) @ self.vector

    def extent(self, edge: float, matrix: np.ndarray = DOWER) -> tuple[float, float]:
        """Return onset and offset in ms: where the wave exceeds ``edge`` times its largest deflection in any lead."""
        first, last = (self.time[:, 0] - self.time[:, 2]).min(), (self.time[:, 1] + self.time[:, 3]).max()
        time = np.arange(first, last + 1.0)
        size = np.abs(matrix @ self(time)).max(0)
        seen = np.flatnonzero(size > edge * size.max())
        return float(time[seen[0]]), float(time[seen[-1]])

    def fitted(self, onset: float, offset: float, edge: float, matrix: np.ndarray = DOWER) -> "Phases":
        """Return the wave stretched and moved in time so that its :meth:`extent` is onset to offset (ms)."""
        first, last = self.extent(edge, matrix)
        stretch = (offset - onset) / (last - first)
        time = np.concatenate([onset + (self.time[:, :2] - first) * stretch, self.time[:, 2:] * stretch], axis=1)
        return replace(self, time=time)


def phases(rows: ArrayLike) -> Phases:
    """Build Phases from rows (start, end, rise, fall, x, y, z) in ms and mV."""
    rows = np.asarray(rows, float).reshape(-1, 7)
    return Phases(rows[:, :4], rows[:, 4:])


def rotation(frontal: ArrayLike, horizontal: ArrayLike = 0.0) -> np.ndarray:
    """Return the matrix (..., 3, 3) that turns a heart vector (x, y, z).

    Parameters
    ----------
    frontal : degrees about the z axis, from left to feet, applied first; a number or an array (...)
    horizontal : degrees about the y axis, from left to back; likewise
    """
    a, b = np.broadcast_arrays(np.radians(frontal), np.radians(horizontal))
    matrix = np.zeros((*a.shape, 3, 3))
    matrix[..., 0, 0], matrix[..., 0, 1], matrix[..., 0, 2] = np.cos(a) * np.cos(b), -np.sin(a) * np.cos(b), -np.sin(b)
    matrix[..., 1, 0], matrix[..., 1, 1] = np.sin(a), np.cos(a)
    matrix[..., 2, 0], matrix[..., 2, 1], matrix[..., 2, 2] = np.cos(a) * np.sin(b), -np.sin(a) * np.sin(b), np.cos(b)
    return matrix


def electrical_axis(lead_i: float, lead_avf: float) -> float:
    """Return the frontal axis in degrees (0 left, 90 feet) from the net deflections of I and aVF, in one unit.

    aVF is augmented by sqrt(3)/2 with respect to a bipolar lead, hence atan2(2 aVF / sqrt(3), I).
    """
    return float(np.degrees(np.arctan2(2 / np.sqrt(3) * lead_avf, lead_i)))


def frontal_rotation(vector: np.ndarray, axis: float) -> float:
    """Return the angle about z (degrees) that turns ``vector`` (3,) to a measured :func:`electrical_axis`.

    The directions of I and aVF are not orthogonal in Dower's matrix. A vector has the axis where the lead across it
    reads zero and the lead along it is positive; the former is p cos(angle) + q sin(angle) + r = 0, solved in
    closed form. A vector that points straight at the chest has no frontal axis and is left as it is (0).
    """
    one, foot = DOWER[0], (DOWER[1] - DOWER[0] / 2) * 2 / np.sqrt(3)
    cosine, sine = np.cos(np.radians(axis)), np.sin(np.radians(axis))
    across, along = foot * cosine - one * sine, one * cosine + foot * sine
    x, y, z = vector
    p, q, r = across[0] * x + across[1] * y, across[1] * x - across[0] * y, across[2] * z
    size = np.hypot(p, q)
    if size <= abs(r):
        return 0.0
    middle, half = np.degrees(np.arctan2(q, p)), np.degrees(np.arccos(-r / size))
    angle = max((middle - half, middle + half), key=lambda candidate: along @ rotation(candidate) @ vector)
    return float((angle + 180) % 360 - 180)
