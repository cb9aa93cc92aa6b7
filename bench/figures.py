"""How a figure is told."""


def tell(name: str, value: float, goal: float) -> None:
    """One figure beside its goal."""
    print(f"figure {name} {value:.3g} goal <= {goal}", flush=True)
