"""Who judges privacy in a test: three classifiers that can disagree a great deal.

:class:`RetrainedClassifier`, the default and the strictest, learns from anonymized training images
what they still give away. :class:`CoTrainedReviewer` is the one that the anonymizer was trained to
leave ignorant; :class:`RawClassifier` never saw an anonymized image. Both overstate protection. The
name of the judge is part of every result's name.

Example:
    >>> [judge.name for judge in (RetrainedClassifier(), CoTrainedReviewer(), RawClassifier())]
    ['retrained', 'reviewer', 'raw']
"""

from blackbox_anon.judges.abstract import AbstractJudge, Case
from blackbox_anon.judges.co_trained import CoTrainedReviewer
from blackbox_anon.judges.raw import RawClassifier
from blackbox_anon.judges.retrained import RetrainedClassifier

__all__ = ["AbstractJudge", "Case", "CoTrainedReviewer", "RawClassifier", "RetrainedClassifier"]
