"""The line that a figure is printed on."""


def print_figure(name: str, value: float, goal: float) -> None:
    """Print a figure beside its goal."""
    print(f"figure {name} {value:.3g} goal <= {goal}", flush=True)
