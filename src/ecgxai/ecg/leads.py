"""The twelve standard leads: their order, their names, and the laws that tie the limb leads together."""

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
