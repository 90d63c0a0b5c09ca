"""A ModuleDict that takes any name."""

from collections.abc import ItemsView, Iterator, Mapping
from typing import Any

from torch import nn


class NamedModules(nn.Module):
    """Modules by name, where a name is whatever a user called a column: `price (USD)`, `a.b`, `type`.

    `nn.ModuleDict` refuses dots and names such as `keys` or `type`; here the position is the key in the state dict
    and the name is only looked up.

    >>> modules = NamedModules({"a.b": nn.Identity()})
    >>> list(modules), modules["a.b"]
    (['a.b'], Identity())
    """

    def __init__(self, modules: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self._positions = {name: str(position) for position, name in enumerate(modules)}
        self._by_position = nn.ModuleDict({position: modules[name] for name, position in self._positions.items()})

    def __getitem__(self, name: str) -> Any:
        return self._by_position[self._positions[name]]

    def __iter__(self) -> Iterator[str]:
        return iter(self._positions)

    def __len__(self) -> int:
        return len(self._positions)

    def __contains__(self, name: object) -> bool:
        return name in self._positions

    def items(self) -> ItemsView[str, Any]:
        return {name: self[name] for name in self}.items()
