"""From rows per frame to rows per video."""

from torch import Tensor


def mean_over_videos(rows: Tensor, videos: Tensor) -> Tensor:
    """Average the rows of each video.

    Args:
        rows: Any numbers per frame or clip, shape ``(N, D)``.
        videos: Which video each row belongs to, shape ``(N,)``.

    Returns:
        Shape ``(V, D)``, in ascending order of the video ids. Labels that are equal within a video
        stay what they are.

    Example:
        >>> import torch
        >>> rows = torch.tensor([[1.0], [5.0], [3.0]])
        >>> mean_over_videos(rows, torch.tensor([4, 9, 4]))
        tensor([[2.],
                [5.]])
    """
    distinct, group = videos.unique(return_inverse=True)
    totals: Tensor = rows.new_zeros(len(distinct), rows.shape[1]).index_add_(0, group, rows)
    counts: Tensor = group.bincount(minlength=len(distinct)).unsqueeze(1)
    return totals / counts
