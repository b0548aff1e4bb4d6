"""Labels, annotations, phases and reasons by which runs and experiments are known. Source: argo-rollouts types.go."""

from typing import Final

POD_HASH: Final = "rollouts-pod-template-hash"
REVISION: Final = "rollout.argoproj.io/revision"
SCALE_DOWN_DEADLINE: Final = "scale-down-deadline"
INSTANCE: Final = "argo-rollouts.argoproj.io/controller-instance-id"
ROLLOUT_TYPE: Final = "rollout-type"
STEP_INDEX: Final = "step-index"
EXPERIMENT_NAME: Final = "experiment.argoproj.io/name"
EXPERIMENT_TEMPLATE: Final = "experiment.argoproj.io/template-name"

STEP, BACKGROUND = "Step", "Background"
PRE_PROMOTION, POST_PROMOTION = "PrePromotion", "PostPromotion"

PENDING, RUNNING, SUCCESSFUL = "Pending", "Running", "Successful"
FAILED, ERROR, INCONCLUSIVE = "Failed", "Error", "Inconclusive"
COMPLETED: Final = frozenset({SUCCESSFUL, FAILED, ERROR, INCONCLUSIVE})

_FROM_BEST_TO_WORST = (SUCCESSFUL, RUNNING, PENDING, INCONCLUSIVE, ERROR, FAILED)


def is_worse(current: str, new: str) -> bool:
    """Whether the phase `new` is worse than `current`; a phase that is not known counts as the best."""
    rank = {phase: number for number, phase in enumerate(_FROM_BEST_TO_WORST)}
    return rank.get(new, 0) > rank.get(current, 0)
