"""The solver playground: one clip, any solver, segment cap and kept length."""

from et_lite.playground.recorded import recorded
from et_lite.playground.states import CAPS, State, Table, table_of

__all__ = ["CAPS", "State", "Table", "recorded", "table_of"]
