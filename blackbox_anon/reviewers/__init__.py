"""Privacy reviewers: differentiable classifiers of private attributes.

They are trained on anonymized images in alternation with the anonymizer, which learns to leave them
ignorant.

Example:
    >>> import torch
    >>> reviewer = AttributeReviewer("test_resnet", 7)
    >>> reviewer(torch.rand(2, 8, 3, 64, 64)).shape
    torch.Size([2, 7])
    >>> bool(reviewer.privacy_loss(torch.rand(2, 3, 64, 64)) >= 0)
    True
"""

from blackbox_anon.reviewers.abstract import AbstractReviewer, PrivacyLoss
from blackbox_anon.reviewers.attribute import AttributeReviewer
from blackbox_anon.reviewers.ensemble import ReviewerEnsemble
from blackbox_anon.reviewers.functional import cross_entropy_to_half, entropy_gap

__all__ = [
    "AbstractReviewer",
    "AttributeReviewer",
    "PrivacyLoss",
    "ReviewerEnsemble",
    "cross_entropy_to_half",
    "entropy_gap",
]
