# What `import lvkit` offers. Type checkers read this file, and so does `lazy_loader` when the
# package is imported: a name is written here once, and its module is loaded on first use.

from . import plots as plots
from . import widgets as widgets  # type: ignore[attr-defined]  # lies outside, see pyproject.toml
from .batch import Batch as Batch
from .batch import ReportPaths as ReportPaths
from .batch import run_report as run_report
from .batch import run_reports as run_reports
from .data import CheckReport as CheckReport
from .data import Panel as Panel
from .data import check_file as check_file
from .data import load_leaderboard as load_leaderboard
from .data import read_panel as read_panel
from .errors import LvkitError as LvkitError
from .errors import LvkitWarning as LvkitWarning
from .estimation.anchor_choice import AnchorSuggestions as AnchorSuggestions
from .estimation.family_posterior import FamilyPosterior as FamilyPosterior
from .estimation.settings import PAPER_ANCHORS as PAPER_ANCHORS
from .fit.backtest import Backtest as Backtest
from .fit.backtest import backtest as backtest
from .fit.cache import FitCache as FitCache
from .fit.fit import Fit as Fit
from .fit.latent_skill_model import LatentSkillModel as LatentSkillModel
from .fit.latent_skill_model import load_fit as load_fit
from .fit.select_skills import Selection as Selection
from .fit.select_skills import compare as compare
from .fit.select_skills import select_skills as select_skills
from .fit.simulate import simulate as simulate
from .fit.simulate import simulate_models as simulate_models
from .fit.simulation_study import Study as Study
from .fit.simulation_study import simulation_study as simulation_study
from .model.parameters import Parameters as Parameters
from .planning import Cost as Cost
from .planning import EvaluationPlan as EvaluationPlan
from .planning import Limits as Limits
from .planning import Need as Need
from .planning import Plan as Plan
from .planning import PlanComparison as PlanComparison
from .planning import WithinBetween as WithinBetween
from .planning import compare_plans as compare_plans
from .planning import plan_compute as plan_compute
from .planning import plan_evaluations as plan_evaluations
from .planning import required_compute as required_compute
from .planning import within_between as within_between
from .prediction.calibration import Calibration as Calibration
from .prediction.predict import Prediction as Prediction

__version__: str
