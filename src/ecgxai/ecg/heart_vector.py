"""One heartbeat as a vector in space, and the twelve leads that look at it.

The heart's electrical activity is drawn as a vector that turns in three dimensions: x to the left, y to the feet,
z to the back (Frank's axes), in mV. Each phase of a wave (septum, apex, free wall, base ...) pushes the vector
in one direction for a while. A lead is a fixed direction, and sees the vector's component along it.

Lead directions: G. E. Dower, H. B. Machado, J. A. Osborne, "On deriving the electrocardiogram from vectorcardiographic
leads", Clinical Cardiology 3 (1980) 87-95. Their matrix maps Frank's X, Y, Z to I, II, V1-V6.
"""

from dataclasses import dataclass

import numpy as np

INDEPENDENT_LEADS = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")

# Rows I, II, V1-V6; columns X (left), Y (feet), Z (back). Dower et al. 1980.
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

# Einthoven: III = II - I. Goldberger: aVR = -(I + II)/2, aVL = I - II/2, aVF = II - I/2. Rows in the order of LEADS.
LIMB_LAWS = np.array([[1, 0], [0, 1], [-1, 1], [-0.5, -0.5], [1, -0.5], [-0.5, 1]])


def twelve_leads(independent: np.ndarray) -> np.ndarray:
    """Complete I, II, V1-V6 to twelve leads by the laws of Einthoven and Goldberger.

    Parameters
    ----------
    independent : ndarray (..., 8, T), mV, rows in the order of INDEPENDENT_LEADS

    Returns
    -------
    ndarray (..., 12, T), mV, rows in the order of ``ecgxai.ecg.leads.LEADS``
    """
    one, two = independent[..., 0, :], independent[..., 1, :]
    limbs = np.stack([one, two, two - one, -(one + two) / 2, one - two / 2, two - one / 2], axis=-2)
    return np.concatenate([limbs, independent[..., 2:, :]], axis=-2)


def bump(time: np.ndarray, start: np.ndarray, end: np.ndarray, rise: np.ndarray, fall: np.ndarray) -> np.ndarray:
    """Evaluate the smooth pulse that every phase is made of: it rises, holds 1 from ``start`` to ``end``, and falls.

    ``(1 - u^2)^3`` with u running from -1 to 0 over ``rise`` and from 0 to 1 over ``fall``: twice differentiable at
    its ends and exactly zero beyond them, so that a wave's onset and offset are facts and not thresholds.
    All arguments broadcast and share a unit (here: ms).
    """
    u = np.maximum((start - time) / rise, (time - end) / fall)
    np.clip(u, 0.0, 1.0, out=u)
    u *= u
    np.subtract(1.0, u, out=u)
    return u * u * u


@dataclass(frozen=True)
class Phases:
    """The phases of one wave (P, QRS, or ST-T) of one beat.

    Parameters
    ----------
    time : ndarray (..., K, 4), ms from the wave's reference point (P: its onset; QRS and ST-T: QRS onset).
        Columns start and end of the plateau, rise before it, fall after it; see :func:`bump`
    vector : ndarray (..., K, 3), mV: the heart vector at the plateau
    """

    time: np.ndarray
    vector: np.ndarray

    def __add__(self, other: "Phases") -> "Phases":
        return Phases(np.concatenate([self.time, other.time], -2), np.concatenate([self.vector, other.vector], -2))


def phases(rows) -> Phases:
    """Build Phases from rows (start, end, rise, fall, x, y, z) in ms and mV."""
    rows = np.asarray(rows, float)
    return Phases(rows[..., :4], rows[..., 4:])


def frontal_rotation(vector: np.ndarray, axis: float) -> float:
    """Return the angle (degrees, positive from left to feet) that turns ``vector`` to a measured electrical axis.

    The axis is read as on paper, from the net deflections of leads I and aVF: atan2(2/sqrt(3) aVF, I). The lead
    vectors of I and aVF are not orthogonal in Dower's matrix, so this is the closed-form solution of
    ``2/sqrt(3) aVF cos(axis) = I sin(axis)`` for the rotation about z, on the side where I points along the axis.
    """
    one, foot = DOWER[0], (DOWER[1] - DOWER[0] / 2) * 2 / np.sqrt(3)
    across = foot * np.cos(np.radians(axis)) - one * np.sin(np.radians(axis))
    along = one * np.cos(np.radians(axis)) + foot * np.sin(np.radians(axis))
    x, y, z = vector
    # across . R(angle) vector = p cos(angle) + q sin(angle) + r
    p, q, r = across[0] * x + across[1] * y, across[1] * x - across[0] * y, across[2] * z
    size = np.hypot(p, q)
    if size < abs(r) or size == 0:
        return 0.0  # the vector points at the chest: no frontal axis
    middle, half = np.arctan2(q, p), np.arccos(np.clip(-r / size, -1, 1))
    angles = np.array([middle - half, middle + half])
    seen = [along @ rotation(np.degrees(angle), 0.0) @ vector for angle in angles]
    return float((np.degrees(angles[int(np.argmax(seen))]) + 180) % 360 - 180)


def rotation(frontal: float, horizontal: float) -> np.ndarray:
    """Return the matrix (3, 3) that turns a heart vector: ``frontal`` degrees about z (left to feet), then ``horizontal``
    degrees about y (left to back)."""
    a, b = np.radians(frontal), np.radians(horizontal)
    about_z = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    about_y = np.array([[np.cos(b), 0, -np.sin(b)], [0, 1, 0], [np.sin(b), 0, np.cos(b)]])
    return about_y @ about_z
