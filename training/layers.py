"""How a latent is divided between two stochastic layers: known to networks and prior alike."""

from training.errors import ConfigError


def sizes(latent_dim: int) -> tuple[int, int]:
    """Numbers of h₁ and of u: two thirds and a third, as the paper's 100 and 50."""
    if latent_dim < 2:
        raise ConfigError(f"latent_dim={latent_dim}: two layers need 2 numbers or more")
    above = max(1, latent_dim // 3)
    return latent_dim - above, above
