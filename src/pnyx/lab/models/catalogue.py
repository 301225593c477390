"""The models by the names that histories and `--model` give them."""

from typing import Final

from pnyx.lab.models.append import AppendModel
from pnyx.lab.models.model import Model
from pnyx.lab.models.register import RegisterModel
from pnyx.lab.models.versions import VersionsModel

_ALL: Final[tuple[Model, ...]] = (
    RegisterModel("register", has_cas=False),
    RegisterModel("cas-register", has_cas=True),
    AppendModel(),
    VersionsModel(),
)
MODELS: Final[dict[str, Model]] = {model.name: model for model in _ALL}
