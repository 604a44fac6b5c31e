"""Tables as people export them: whatever stands at the ends of lines, in front of numbers and above them."""

import numpy as np
import pytest

from leadwise.ecg.leads import LEADS, derive_limb_leads
from leadwise.recordings.reading import MissingInformation, read_ecg
from leadwise.recordings.recording import RecordError, RecordWarning

SAID = {"fs": 500, "unit": "uV"}
rng = np.random.default_rng(8)
ROWS = rng.integers(-1600, 1601, (12, 300))
for lead, row in derive_limb_leads(2 * ROWS[0], 2 * ROWS[1]).items():
    ROWS[LEADS.index(lead)] = row
EVENT = rng.integers(0, 9, 300)


def table(columns, head, delimiter=",", line_end="", head_end="", form=str) -> str:
    lines = [delimiter.join(head) + head_end] if head else []
    lines += [delimiter.join(map(form, row)) + line_end for row in np.transpose(columns)]
    return "\n".join(lines)


def read(text: str, **said):
    return read_ecg(text.encode(), name="a.csv", **(SAID | said))


def right(text: str, **said) -> bool:
    """Read a table rightly, or refuse it (False); anything else fails."""
    try:
        ecg = read(text, **said)
    except RecordError:
        return False
    assert ecg.fs == 500
    np.testing.assert_allclose(ecg.signal, ROWS / 1000, atol=1e-6)
    return True


TIME, INDEX, NO = np.arange(300) / 500, np.arange(300), None
# first column, its name, names of the other columns: what a head may do -> whether the leads are told rightly
HEADS = {
    "as many names": (NO, [], [*LEADS], True),
    "an event at the end": (NO, [], [*LEADS, "event"], True),
    "a time": (TIME, ["time (s)"], [*LEADS], True),
    "an index": (INDEX, [""], [*LEADS], True),
    "row numbers as R writes them": (INDEX, [], [*LEADS], True),
    "a column without a name at the end": (NO, [], [*LEADS, None], False),
    "one name too many at the end": (NO, [], [*LEADS, "gone"], False),
    "one name too many in front": (NO, ["event"], [*LEADS], False),
    "a time and one name too many": (TIME, ["time (s)"], [*LEADS, "comment"], None),
}


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", ", "])
@pytest.mark.parametrize("ends", ["", "line", "head", "both", "twice"])
@pytest.mark.parametrize("case", HEADS)
def test_ends_of_lines_and_lengths_of_heads(case, ends, delimiter):
    """No lead is ever taken for its neighbour."""
    first, name, names, expected = HEADS[case]
    columns = [*([] if first is None else [first]), *ROWS]
    if names[-1] in ("event", None):
        columns.append(EVENT)
    times = {"line": 1, "both": 1, "twice": 2}.get(ends, 0)
    text = table(
        columns, [*name, *filter(None, names)], delimiter, delimiter * times, delimiter * (ends in ("head", "both")),
        form=lambda value: f"{value:.3f}" if first is TIME else str(int(value)),
    )  # fmt: skip
    if ends in ("head", "both"):  # "...,V6," gives the last column the name "", and the first one its neighbour's
        expected = {"a column without a name at the end": True, "row numbers as R writes them": False}.get(
            case, expected
        )
    found = right(text)
    assert expected is None or found == expected


def test_a_head_that_names_a_lead_over_a_column_that_counts():
    with pytest.raises(RecordError, match="names may be shifted"):
        read(table([INDEX, *ROWS[:11]], LEADS))


def test_a_last_lead_that_is_empty():
    """Of "..., V5, V6" over lines that end with a delimiter nobody knows which name is left over; "nan" says it."""
    with pytest.raises(RecordError, match="names 12 columns"):
        read(table(ROWS[:11], LEADS, line_end=","))
    with pytest.warns(RecordWarning, match="V6 has no valid sample"):
        ecg = read(table([*ROWS[:11], np.full(300, np.nan)], LEADS))
    np.testing.assert_allclose(ecg.signal[:11], ROWS[:11] / 1000, atol=1e-6)
    assert np.isnan(ecg.signal[11]).all()


def test_an_empty_cell_at_the_end_of_a_line_is_a_sample():
    lines = table(ROWS, LEADS).split("\n")
    lines[5] = lines[5][: lines[5].rindex(",") + 1]
    with pytest.warns(RecordWarning, match="V6 has 1 invalid"):
        ecg = read("\n".join(lines))
    assert np.flatnonzero(np.isnan(ecg.signal[11])).tolist() == [4]
    with pytest.raises(RecordError, match="line 6 has 13 cells"):
        read("\n".join([*lines[:5], lines[6] + ",", *lines[6:]]))


# Numbers


@pytest.mark.parametrize(
    ("delimiter", "sign"), [(";", ","), (";", "."), ("\t", ","), ("\t", "."), (",", ","), ("|", ".")]
)
def test_thousands(delimiter, sign):
    def written(value):
        text = f"{int(value):,}".replace(",", sign)
        return f'"{text}"' if delimiter == sign else text

    assert np.abs(ROWS).max() >= 1000
    assert right(table(ROWS, LEADS, delimiter, form=written))
    ecg = read(table(ROWS, LEADS, delimiter, form=written))
    assert any("thousands separator" in note for note in ecg.notes)


def test_thousands_that_may_be_decimals_are_refused():
    few = ROWS % 1000
    few[3, :5] = 1234
    for values in (2048 + ROWS // 10, few):
        with pytest.raises(RecordError, match="stands before three digits"):
            read(table(values, LEADS, ";", form=lambda value: f"{int(value):,}"))


def test_decimals_of_three_digits_are_no_thousands():
    for delimiter, sign in ((";", ","), (",", "."), ("\t", ".")):
        assert right(table(ROWS / 1000, LEADS, delimiter, form=lambda v: f"{v:.3f}".replace(".", sign)), unit="mV")  # noqa: B023
    ecg = read(table(2 + np.abs(ROWS / 1000), LEADS, form=lambda value: f"{value:.3f}"), unit="mV")
    np.testing.assert_allclose(ecg.signal, 2 + np.abs(ROWS / 1000), atol=1e-6)


@pytest.mark.parametrize("word", ["#N/A", "#n/a", "#NV"])
@pytest.mark.parametrize("column", [0, 5])
def test_not_available_is_no_comment(word, column):
    lines = [line.split(",") for line in table(ROWS, LEADS).split("\n")]
    for number in (50, 120, 121):
        lines[number][column] = word
    with pytest.warns(RecordWarning, match="3 invalid samples"):
        ecg = read("\n".join(map(",".join, lines)))
    assert np.argwhere(np.isnan(ecg.signal)).tolist() == [[column, number - 1] for number in (50, 120, 121)]


@pytest.mark.parametrize("line", [1, 2, 77, 300])
@pytest.mark.parametrize("word", ["#DIV/0!", "#VALUE!", "# 12", "//", "%", "x"])
def test_a_row_of_numbers_never_vanishes(word, line):
    lines = [line.split(",") for line in table(ROWS, LEADS).split("\n")]
    lines[line][0] = word
    with pytest.raises(RecordError):
        read("\n".join(map(",".join, lines)))


@pytest.mark.parametrize("comment", ["# end", "% 12 leads", "// 1,2,3", "#"])
def test_comments_stand_above_the_numbers_only(comment):
    lines = table(ROWS, LEADS).split("\n")
    assert right("\n".join([comment, *lines]))
    for at in (100, 301):
        with pytest.raises(RecordError):
            read("\n".join([*lines[:at], comment, *lines[at:]]))


# Rates


RATES = {
    "# fs: 500 Hz": 500,
    "# Sampling rate = 500": 500,
    "Sampling rate;500": 500,
    "Sampling Rate (Hz): 500": 500,
    "# sampling frequency: 0.5 kHz": 500,
    "# Abtastrate: 500,0 Hz": 500,
    "# Sampling rate: 500 Hz, 12 leads": 500,
    "# Sampling rate: 5e2 Hz": 500,
    "# original sampling rate: 1000 Hz; resampled to 500 Hz": 500,
    "# sampling rate 1000 Hz\n# downsampled to 500 Hz": 500,
    "# Sampling rate, 12 channels: 500 Hz": None,
    "# Sampling rate of 12 leads: 500": None,
    "# Sampling rate: 500 (filter 0.05-150 Hz)": None,
    "# Sampling rate: 1000 Hz, stored at 500 Hz": None,
    "# Sampling rate: 1000 Hz\n# fs: 500": None,
    "# Sampling rate: 1,000 Hz": None,
    "# Sampling rate: 1.000 Hz": None,
    "# Sampling rate: see below": None,
}


@pytest.mark.parametrize("comment", RATES)
def test_rates_that_a_text_states(comment):
    text = f"{comment}\n{table(ROWS, LEADS, ';')}"
    if RATES[comment]:
        assert read(text, fs=None).fs == RATES[comment]
    else:
        with pytest.raises(MissingInformation) as caught:
            read(text, fs=None)
        assert caught.value.missing == ("fs",)
    assert right(text, fs=500)


def test_negative_rates_are_no_rates():
    with pytest.raises(RecordError, match="-500 Hz"):
        read(f"# fs: -500 Hz\n{table(ROWS, LEADS)}", fs=None)


def test_a_rate_below_the_numbers_is_none():
    with pytest.raises(RecordError):
        read(f"{table(ROWS, LEADS)}\n# fs: 500 Hz", fs=None)


@pytest.mark.parametrize(("first", "count"), [(100, 1), (150, 3), (299, 0), (2, 1), (297, 2)])
@pytest.mark.parametrize("name", ["time (s)", "index"])
def test_rows_missing_from_a_column_of_times(first, count, name):
    column = TIME if name == "time (s)" else INDEX
    lines = table([column, *ROWS], [name, *LEADS], form=lambda value: f"{value:.10g}").split("\n")
    text = "\n".join(lines[:first] + lines[first + count :])
    if count:
        with pytest.raises(RecordError, match="not evenly spaced"):
            read(text, fs=None if name == "time (s)" else 500)
    else:
        assert right(text)


@pytest.mark.parametrize(("step", "unit", "rate"), [(0.002, "s", 500), (2, "ms", 500), (0.06, "", None), (2, "", None)])
def test_milliseconds_are_said_not_inferred(step, unit, rate):
    """A step of 0.06 may be seconds or milliseconds: neither is believed."""
    name = f"time ({unit})" if unit else "time"
    text = table([INDEX * step, *ROWS], [name, *LEADS], form=lambda value: f"{value:.10g}")
    if rate:
        assert read(text, fs=None).fs == rate
    else:
        with pytest.raises(MissingInformation):
            read(text, fs=None)


@pytest.mark.parametrize("lost", [1, 5, 8])
def test_a_head_that_names_the_times_and_lacks_a_lead_is_refused(lost, tmp_path):
    """The first column counts and the head has a name for it: whose name is missing can't be told."""
    names = ["time", *LEADS]
    del names[lost]
    rows = [[round(k / 500, 3), *np.round(np.sin(np.arange(1, 13) * k / 9), 3)] for k in range(120)]
    path = tmp_path / "ecg.csv"
    path.write_text("\n".join([",".join(names), *(",".join(map(str, row)) for row in rows)]))
    with pytest.raises(ValueError, match="may be shifted"):
        read_ecg(path, unit="mV")
