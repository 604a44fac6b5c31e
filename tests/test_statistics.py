"""Intervals and differences: closed forms, scipy, and how often an interval holds the truth."""

import numpy as np
import pytest
import scipy.stats

from leadwise.evaluation import bootstrap, holm, paired, paired_differences, student

SKEWED = [0.0, 0.0, 0.0, 1.0]  # the mean of a resample is Binomial(4, 1/4) / 4


def test_percentile_intervals_are_quantiles_of_the_resampled_means():
    """P(0), P(1/4), ... are 0.316, 0.422, 0.211, 0.047, 0.004: quantiles of 2.5 and 97.5 % are 0 and 3/4.

    The "basic" interval would turn them over, to [2/4 - 3/4, 2/4 - 0].
    """
    found = bootstrap(SKEWED, method="percentile", resamples=20_000)
    quantiles = scipy.stats.binom(4, 0.25).ppf([0.025, 0.975]) / 4
    assert (found.low, found.high) == pytest.approx(tuple(quantiles))
    assert (found.low, found.high) == (0, 0.75)


@pytest.mark.parametrize("method", ["BCa", "percentile"])
def test_intervals_stay_inside_the_range_and_lean_to_the_long_side(method):
    values = np.random.default_rng(0).exponential(size=30)
    found = bootstrap(values, method=method)
    assert values.min() < found.low < found.value < found.high < values.max()
    assert found.high - found.value > found.value - found.low


def test_bca_is_scipys_and_follows_a_monotone_change_of_scale():
    values = np.random.default_rng(1).exponential(size=25)
    theirs = scipy.stats.bootstrap(
        (values,), np.mean, n_resamples=2000, method="BCa", rng=np.random.default_rng(0)
    ).confidence_interval
    found = bootstrap(values)
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high))


def test_columns_without_spread_have_no_width():
    found = bootstrap(np.column_stack([np.full(5, 2.0), np.arange(5.0)]))
    assert (found.low[0], found.high[0]) == (2, 2)
    assert found.low[1] < 2 < found.high[1]


def test_students_interval_is_scipys():
    values = np.random.default_rng(2).normal(size=(7, 3))
    found = student(values)
    low, high = scipy.stats.t.interval(0.95, 6, values.mean(0), scipy.stats.sem(values))
    np.testing.assert_allclose(found.low, low)
    np.testing.assert_allclose(found.high, high)
    assert np.isnan(student([1.0]).low)
    assert np.isnan(student([]).value)


def test_students_interval_holds_the_mean_as_often_as_it_says_at_small_n():
    rng = np.random.default_rng(3)
    hits = [[one.low <= 0 <= one.high for one in (student(v), bootstrap(v, resamples=300, method="percentile"))]
            for v in rng.normal(size=(600, 6))]  # fmt: skip
    exact, percentile = np.mean(hits, axis=0)
    assert exact == pytest.approx(0.95, abs=0.025)
    assert percentile < 0.92


def test_a_paired_difference_is_sure_where_both_intervals_overlap():
    rng = np.random.default_rng(4)
    difficulty = rng.normal(size=20)
    first, second = difficulty + 0.1 + 0.05 * rng.normal(size=20), difficulty
    one, other = student(first), student(second)
    assert one.low < other.high
    assert other.low < one.high
    found = paired(first, second)
    assert found.sure
    assert found.p == pytest.approx(scipy.stats.ttest_rel(first, second).pvalue)
    assert found.estimate.value == pytest.approx(0.1, abs=0.03)


def test_samples_without_a_number_are_left_out_in_pairs():
    assert paired([1.0, np.nan, 3.0, 4.0], [0.0, 1.0, np.nan, 2.0]).estimate.samples == 2
    assert paired([1.0, 1.0], [1.0, 1.0]).p == 1
    assert paired([2.0, 2.0], [1.0, 1.0]).p == 0
    with pytest.raises(ValueError, match="expected the same"):
        paired([1.0], [1.0, 2.0])


def test_holm_by_hand():
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(holm([0.6, 0.7]), [1, 1])
    np.testing.assert_allclose(holm([0.02, np.nan, 0.03]), [0.04, np.nan, 0.04])


def test_false_alarms_are_rare_over_the_whole_family():
    """Ten methods that are alike: 45 pairs. Uncorrected, most families have a false alarm."""
    rng = np.random.default_rng(5)
    alarms = np.zeros(2)
    for _ in range(100):
        found = paired_differences({str(i): row for i, row in enumerate(rng.normal(size=(10, 12)))})
        assert len(found) == 45
        alarms += [any(one.p < 0.05 for one in found.values()), any(one.sure for one in found.values())]
    assert alarms[0] > 50
    assert alarms[1] <= 12


def test_all_against_one():
    found = paired_differences({"a": np.arange(5.0), "b": np.arange(5.0) + 1, "c": np.ones(5)}, against="c")
    assert list(found) == [("a", "c"), ("b", "c")]
    with pytest.raises(ValueError, match="against is 'd'"):
        paired_differences({"a": np.ones(3)}, against="d")


@pytest.mark.parametrize(("options", "message"), [({"method": "basic"}, "method is 'basic'"), ({"level": 95}, "level")])
def test_what_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        bootstrap([1.0, 2.0], **options)
