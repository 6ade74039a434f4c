"""A bound on the error of the answers that a step takes, which holds whatever was chosen."""

from scipy.stats import beta

CONFIDENCE = 0.95
"""Probability that all bounds hold together."""


def error_upper_bound(wrong: int, n: int, considered: int) -> float:
    """Upper bound of an error rate, from `wrong` errors in `n` answers.

    One-sided Clopper-Pearson bound (Clopper and Pearson, "The Use of Confidence or Fiducial Limits
    Illustrated in the Case of the Binomial", Biometrika 26, 1934). With Bonferroni's correction it
    holds for all thresholds that were considered at once. So it holds for the chosen one, however
    it was chosen (as in Geifman and El-Yaniv, "Selective Classification for Deep Neural Networks",
    NeurIPS 2017). Thresholds are quantiles of the same items' confidences. That does no harm: no
    label plays a part in them.

    Args:
        wrong: errors among the answers that the step takes.
        n: answers that the step takes.
        considered: thresholds, or combinations with those of earlier steps, that were compared.
    """
    if wrong >= n:
        return 1.0
    return float(beta.isf((1 - CONFIDENCE) / considered, wrong + 1, n - wrong))
