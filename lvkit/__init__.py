"""lvkit: how the abilities of large language models grow with size and data.

Benchmark scores are modelled with latent variables: each family of models has a latent vector (how
well its recipe turns size and data into skills), a model's skills follow from it and from log size
and log tokens, and each score is Beta distributed around a curve of the skills (arXiv 2512.06553).

>>> import lvkit as lv
>>> panel = lv.load_leaderboard().complete()
>>> fit = lv.LatentSkillModel(n_skills=1).fit(panel)
>>> fit.converged, round(fit.loglik)
(True, 1521)

Names are loaded when they are first used, so that ``import lvkit`` costs next to nothing. The file
``__init__.pyi`` lists them all; ``dir(lvkit)`` shows what an analysis begins with: functions,
subpackages, and the classes that users create. The classes of results can be imported as well.
"""

from __future__ import annotations

from importlib.util import find_spec

import lazy_loader

from lvkit._version import __version__ as __version__

_CLASSES = {"Cost", "FitCache", "LatentSkillModel", "Limits", "LvkitError", "LvkitWarning", "Panel"}

__getattr__, _, _names = lazy_loader.attach_stub(__name__, __file__)

# Without the widgets, which need packages that not everyone has.
__all__ = [name for name in _names if name != "widgets"]


def __dir__() -> list[str]:
    names = _names if find_spec("ipywidgets") else __all__
    return [name for name in names if name[0].islower() or name.isupper() or name in _CLASSES]
