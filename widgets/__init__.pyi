# What `lvkit.widgets` offers, for type checkers and for `lazy_loader`.

from .panel import explore_panel as explore_panel
from .planning import plan_budget as plan_budget
from .prediction import predict_scores as predict_scores
from .reading import interpret_skills as interpret_skills
from .response import response_curve as response_curve
from .skills import choose_skills as choose_skills
