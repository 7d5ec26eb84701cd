"""Publications as members of a result, in the form that a subscription asked for."""

from collections.abc import Sequence

import msgspec

from hub.realtime.codec import Codec
from hub.realtime.codes import WRONG_PROTOCOL, Refusal
from hub.realtime.delta import patch_between
from hub.realtime.filters import matches
from hub.realtime.publication import Publication
from hub.realtime.wire import WirePublication
from hub.realtime.wishes import Wish

__all__ = ["fit", "wire_publications"]


def fit(publications: Sequence[Publication], codec: Codec) -> bool:
    """Whether all of them can be told in this encoding."""
    return codec.binary or not any(each.binary for each in publications)


def wire_publications(
    publications: Sequence[Publication], codec: Codec, wish: Wish | None = None
) -> list[WirePublication]:
    """``publications`` in their order; with a filter, those that pass; with patches, the first
    whole and the others against the one before. Raises ``Refusal`` where one of them is not JSON
    and the codec can carry nothing else."""
    if not fit(publications, codec):
        raise Refusal(WRONG_PROTOCOL)
    if wish is None:
        return [_wire(each, each.data) for each in publications]
    if wish.tf is not None:
        return [_wire(each, each.data) for each in publications if matches(wish.tf, each.tags)]
    results: list[WirePublication] = []
    before: Publication | None = None
    for each in publications:
        patch = patch_between(before.data, each.data) if before else None
        data = codec.patchable(patch) if patch is not None else None
        whole = data is None
        results.append(_wire(each, codec.patchable(each.data) if data is None else data))
        results[-1].delta = not whole
        before = each
    return results


def _wire(publication: Publication, data: bytes | None) -> WirePublication:
    return WirePublication(
        msgspec.Raw(data or b"null"),
        msgspec.Raw(publication.info) if publication.info else msgspec.UNSET,
        publication.offset,
        publication.tags or msgspec.UNSET,
        time=publication.time_ms,
    )
