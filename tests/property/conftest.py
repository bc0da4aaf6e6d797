"""How the laws are tried: the same examples in every run, and nothing left behind."""

from hypothesis import Phase, settings

PHASES = (Phase.explicit, Phase.generate, Phase.shrink)  # to explain a failure takes minutes with large input
settings.register_profile(
    "laws", deadline=None, derandomize=True, database=None, max_examples=100, phases=PHASES
)
settings.load_profile("laws")
