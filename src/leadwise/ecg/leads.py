"""The twelve standard leads: their order, their names, and the laws that tie the limb leads together."""

from typing import Protocol

import numpy as np

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")

LIMB_LEADS, CHEST_LEADS = LEADS[:6], LEADS[6:]

HEXAXIAL = {"I": 0, "II": 60, "III": 120, "aVR": -150, "aVL": -30, "aVF": 90}
"""Direction of each limb lead in the frontal plane, degrees; 0 points to the patient's left, 90 to the feet."""

CABRERA = ("aVL", "I", "-aVR", "II", "aVF", "III")
"""The limb leads in anatomical order, 30 degrees apart, from -30 to 120; "-aVR" is aVR turned upside down."""

# The classical names, which Bayés de Luna et al., "A new terminology for left ventricular walls", Circulation 114
# (2006) 1755-1760, summarise and revise. Groups of leads, no more: ST depression does not tell which wall is
# ischaemic. aVR looks into the cavity and belongs to none.
TERRITORIES = {
    "septal": ("V1", "V2"),
    "anterior": ("V3", "V4"),
    "lateral": ("I", "aVL", "V5", "V6"),
    "inferior": ("II", "III", "aVF"),
}
"""Groups of leads, by the classical names of the walls that they face."""

_BY_CASEFOLD = {name.casefold(): name for name in LEADS}


def standard_name(name: str | None) -> str | None:
    """Return the standard spelling of a lead name ("AVR" or " avr" -> "aVR"), or None where it is none of the twelve.

    Only letter case and surrounding blanks are forgiven: "MLII" is another lead than "II".
    """
    return _BY_CASEFOLD.get((name or "").strip().casefold())


def territory(lead: str) -> str | None:
    """Return the wall that a lead faces, a key of ``TERRITORIES``, or None for aVR."""
    if lead not in LEADS:
        raise KeyError(f"no lead {lead!r}; the leads are {', '.join(LEADS)}")
    return next((wall for wall, leads in TERRITORIES.items() if lead in leads), None)


def derive_limb_leads(lead_i: np.ndarray, lead_ii: np.ndarray) -> dict[str, np.ndarray]:
    """Compute all six limb leads from I and II.

    Einthoven: III = II - I. Goldberger: aVR = -(I + II) / 2, aVL = I - II / 2, aVF = II - I / 2. Both follow from
    Kirchhoff's law for the three limb electrodes, so that two of the six leads carry all the information.

    Parameters
    ----------
    lead_i, lead_ii : ndarrays of one shape, any unit

    Returns
    -------
    dict : name -> ndarray of that shape, in the order of ``LIMB_LEADS``
    """
    i, ii = np.asarray(lead_i), np.asarray(lead_ii)
    if i.shape != ii.shape:
        raise ValueError(f"lead I has shape {i.shape} and lead II {ii.shape}; expected the same shape.")
    return {"I": i, "II": ii, "III": ii - i, "aVR": -(i + ii) / 2, "aVL": i - ii / 2, "aVF": ii - i / 2}


class HasLeads(Protocol):
    """What has leads by name: an ``ECG``."""

    def lead(self, name: str) -> np.ndarray:
        """Return one lead, shape (T,), mV."""
        ...


def limb_lead_residuals(ecg: HasLeads) -> dict[str, float]:
    """Return, for III, aVR, aVL and aVF, the largest difference (mV) between the recorded lead and the one derived
    from I and II; NaN where no sample is valid.

    A few µV is rounding. Much more means that a lead was swapped, mislabelled, filtered differently or damaged.
    """
    derived = derive_limb_leads(ecg.lead("I").astype(float), ecg.lead("II").astype(float))
    return {name: _largest(derived[name] - ecg.lead(name)) for name in LIMB_LEADS[2:]}


def einthoven_residual(ecg: HasLeads) -> float:
    """Return the largest departure from Einthoven's law, max |I + III - II|, in mV; NaN where no sample is valid."""
    return limb_lead_residuals(ecg)["III"]


def _largest(difference: np.ndarray) -> float:
    difference = np.abs(difference[np.isfinite(difference)])
    return float(difference.max()) if difference.size else float("nan")
