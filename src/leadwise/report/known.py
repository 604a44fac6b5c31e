"""What is known about a network beside its answer: do its probabilities hold, and how good is it on real recordings?"""

from collections.abc import Callable, Mapping

from leadwise.networks.weights import embedded_report

UNKNOWN = "nothing is known here"


def calibration(name: str, source: str) -> str:
    """Say whether the probabilities of a network are calibrated, and on what.

    Parameters
    ----------
    name : of the network, such as "LBBB"
    source : where its weights come from: "embedded", "published", or another word

    Examples
    --------
    >>> calibration("LBBB", "published")
    'not calibrated'
    """
    if source == "published":
        return "not calibrated"
    test = embedded_report(name).get("test", {}) if source == "embedded" else {}
    if "calibration_error" not in test:
        return f"{UNKNOWN} about their calibration"
    return f"calibrated on simulated patients (error {test['calibration_error']:.2f} there), on no real ones"


def on_real_recordings(name: str, source: str) -> str:
    """Say how a network does on real recordings, or that it has not been measured.

    Parameters
    ----------
    name, source : as for :func:`calibration`

    Examples
    --------
    >>> on_real_recordings("LBBB", "published")
    'trained on real recordings (Gumpfer et al. 2024); not measured here on those of other hospitals'
    """
    if source == "published":
        return "trained on real recordings (Gumpfer et al. 2024); not measured here on those of other hospitals"
    if source != "embedded":
        return UNKNOWN
    real = embedded_report(name).get("real")
    if real is None:
        return "not measured; a network trained on simulated ECGs may be wrong there, however sure it is"
    said = [
        f"right on {real['right']} of {real['records']} with it"
        if real.get("records")
        else "no recording with it at hand",
        f"false alarms on {real['false_alarms']} of {real['of_sinus']} with sinus rhythm only"
        if "of_sinus" in real
        else "",
        f"on {real['generated_alarms']} of {real['generated']} generated ones" if "generated" in real else "",
    ]
    if "auc_against_published" in real:
        said.append(f"AUC {real['auc_against_published']:.2f} against the published network's answers")
    return ", ".join(filter(None, said))


def of_all(sources: Mapping[str, str], say: Callable[[str, str], str]) -> str:
    """Say it of several networks; those of which the same is to be said, together.

    Parameters
    ----------
    sources : network -> where its weights come from
    say : :func:`calibration` or :func:`on_real_recordings`

    Examples
    --------
    >>> of_all({"AVB": "published", "LBBB": "published"}, calibration)
    'AVB, LBBB: not calibrated.'
    """
    said: dict[str, list[str]] = {}
    for name, source in sources.items():
        said.setdefault(say(name, source), []).append(name)
    return "; ".join(f"{', '.join(names)}: {text}" for text, names in said.items()) + "."
