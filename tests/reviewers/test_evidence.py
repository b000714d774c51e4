"""Evidence anywhere in the picture counts, and where it is does not."""

import torch

from blackbox_anon.reviewers.evidence import AttributeEvidence


def test_a_place_counts_wherever_it_is() -> None:
    torch.manual_seed(0)
    told, features = AttributeEvidence(4, 3), torch.randn(2, 4, 5, 6)
    places = torch.randperm(30)
    moved = features.flatten(2)[..., places].unflatten(2, (5, 6))
    torch.testing.assert_close(told(moved), told(features))


def test_it_lies_between_mean_and_maximum() -> None:
    torch.manual_seed(0)
    told, features = AttributeEvidence(4, 3), 3 * torch.randn(2, 4, 5, 6)
    places = told.evidence(features).flatten(2)
    assert (told(features) >= places.mean(2)).all()
    assert (told(features) <= places.amax(2)).all()
    flat = features[..., :1, :1].expand_as(features)
    torch.testing.assert_close(told(flat), told.evidence(flat)[..., 0, 0])
