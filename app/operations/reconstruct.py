"""What a model makes of data that it is shown, once or several times over."""

from collections.abc import Sequence

from app.arrays import Rows
from app.service import LatentService, Point, ServedModel, Ticket


async def reconstruct(
    service: LatentService,
    model: ServedModel,
    points: Sequence[Point],
    rounds: int,
    ticket: Ticket,
    *,
    levels: bool = False,
) -> Rows:
    """Each point's data, encoded and decoded from the posterior's mean `rounds` ≥ 1 times.

    Several rounds drift to what the model takes for typical.
    """
    ticket.reserve(len(points) * (3 * model.data_bytes + 4 * model.latent_bytes))
    x = await service.data(model, points, ticket)
    for _ in range(rounds - 1):
        mean = (await service.encode(model, x, ticket)).mean
        x = await service.decode_numbers(model, mean, ticket)
    mean = (await service.encode(model, x, ticket)).mean
    return await service.decode(model, mean, ticket, levels=levels)
