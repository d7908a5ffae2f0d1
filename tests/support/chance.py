"""Random numbers without chance, for tests of exact pauses."""

import random


class NoChance(random.Random):
    """Draws the smallest number each time, so that pauses have no random part."""

    def random(self) -> float:
        """Zero."""
        return 0.0
