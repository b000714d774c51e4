import torch

from blackbox_anon.estimators import SPSAGC
from tests.estimators.cases import make_gc
from tests.estimators.problems import quadratic_problem
from tests.estimators.small import THETA


def test_it_is_nesterov_by_the_optimizer_that_has_it() -> None:
    """torch's SGD with Nesterov momentum, fed the plain means, takes the same steps."""
    problem, plain = quadratic_problem(), SPSAGC(0.1, num_directions=3, momentum=0.0)
    plain.allocate(6)
    corrected = make_gc()
    parameter = torch.nn.Parameter(THETA.clone())
    optimizer = torch.optim.SGD([parameter], lr=0.01, momentum=0.9, nesterov=True)
    theta = THETA.clone()
    for _ in range(4):
        parameter.grad = plain.double()(parameter.detach(), problem).gradient
        optimizer.step()
        theta = theta - 0.01 * corrected(theta, problem).gradient
    torch.testing.assert_close(parameter.detach(), theta)
