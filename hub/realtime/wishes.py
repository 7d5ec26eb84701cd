"""Members of a channel who want something other than the plain frame: patches, or a choice by tags.

Those who take patches stand together: who has got the last publication gets the next as a patch
against it, computed once however many they are; who has just come gets it whole and is one of
them from then on. A channel without such members pays nothing for them.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import msgspec

from hub.realtime.codec import Codec
from hub.realtime.codes import BAD_REQUEST, Refusal
from hub.realtime.delta import patch_between
from hub.realtime.filters import matches, well_formed
from hub.realtime.namespaces import Namespace
from hub.realtime.publication import Publication
from hub.realtime.wire import FilterNode, SubscribeRequest

if TYPE_CHECKING:
    from hub.realtime.encoding import Encoding
    from hub.realtime.session import Session

__all__ = ["Group", "Wish", "Wishers", "wish_of"]

Key = TypeVar("Key")
Group: TypeAlias = "dict[Session, Callable[[bytes], None]]"


class Wish(msgspec.Struct, frozen=True):
    """What a subscription asked for and is given: patches, or a filter, never both."""

    patches: bool = False
    tf: FilterNode | None = None


def wish_of(request: SubscribeRequest, namespace: Namespace) -> Wish | None:
    """What of a request counts in this namespace. Raises ``Refusal`` for a filter where there are
    none, or one that is not well formed; a form of patches we do not have is just not given."""
    if request.tf is not None:
        if not (namespace.allow_tags_filter and well_formed(request.tf)):
            raise Refusal(BAD_REQUEST)
        return Wish(tf=request.tf)
    if request.delta and request.delta in namespace.allowed_delta_types:
        return Wish(patches=True)
    return None


class Wishers:
    """The members with wishes. ``_base`` is the last publication of those who take patches."""

    __slots__ = ("_base", "_chosen", "_filters", "_fresh", "_patched")

    def __init__(self) -> None:
        self._base: Publication | None = None
        self._patched: dict[Encoding, Group] = {}
        self._fresh: dict[Encoding, Group] = {}
        self._chosen: dict[tuple[Encoding, FilterNode], Group] = {}
        self._filters: dict[Session, FilterNode] = {}

    def __bool__(self) -> bool:
        return bool(self._chosen or self._patched or self._fresh)

    @property
    def members(self) -> "list[Session]":
        kinds = (self._patched, self._fresh, self._chosen)
        return [session for kind in kinds for group in kind.values() for session in group]

    def add(self, session: "Session", wish: Wish, last: Publication | None) -> None:
        """Adds a member; ``last`` is the last publication that its answer held, if any."""
        write = session.transport.write
        if wish.tf is not None:
            self._filters[session] = wish.tf
            self._chosen.setdefault((session.encoding, wish.tf), {})[session] = write
            return
        if last is not None and not (self._patched or self._fresh):
            self._base = last
        same = last is not None and self._base is not None and last.data == self._base.data
        kind = self._patched if same else self._fresh
        kind.setdefault(session.encoding, {})[session] = write

    def remove(self, session: "Session") -> None:
        encoding = session.encoding
        tf = self._filters.pop(session, None)
        if tf is not None:
            _leave(self._chosen, (encoding, tf), session)
            return
        _leave(self._patched, encoding, session)
        _leave(self._fresh, encoding, session)
        if not (self._patched or self._fresh):
            self._base = None

    def frames(
        self,
        name: str,
        batch: Sequence[Publication],
        plain: Mapping[Codec, list[bytes]],
        *,
        patches_all: bool,
    ) -> "list[tuple[bytes, Group, int]]":
        """What to write for a batch, to whom, and how many publications that is to each.

        ``plain`` are messages that are encoded already; ``patches_all`` allows patches for
        publications that do not say so themselves.
        """
        frames = self._choices(name, batch, dict(plain))
        if self._patched or self._fresh:
            frames += self._patches(name, batch, patches_all=patches_all)
        return frames

    def _patches(
        self, name: str, batch: Sequence[Publication], *, patches_all: bool
    ) -> "list[tuple[bytes, Group, int]]":
        patches: list[bytes | None] = []
        before = self._base if self._patched else None
        for each in batch:
            allowed = before is not None and (each.delta or patches_all)
            patches.append(patch_between(before.data, each.data) if before and allowed else None)
            before = each
        frames: list[tuple[bytes, Group, int]] = []
        for encoding in {**self._patched, **self._fresh}:
            patch = encoding.codec.patch
            messages = [patch(name, *each) for each in zip(batch, patches, strict=True)]
            standing = self._patched.get(encoding, {})
            if standing:
                frames.append((encoding.frame(messages), standing, len(batch)))
            fresh = self._fresh.pop(encoding, None)
            if fresh:
                if patches[0] is not None:
                    messages[0] = patch(name, batch[0], None)
                frames.append((encoding.frame(messages), fresh, len(batch)))
                self._patched[encoding] = {**standing, **fresh}
        self._base = batch[-1]
        return frames

    def _choices(
        self, name: str, batch: Sequence[Publication], encoded: dict[Codec, list[bytes]]
    ) -> "list[tuple[bytes, Group, int]]":
        frames: list[tuple[bytes, Group, int]] = []
        built: dict[tuple[Encoding, tuple[int, ...]], bytes] = {}
        for (encoding, tf), group in self._chosen.items():
            places = tuple(at for at, each in enumerate(batch) if matches(tf, each.tags))
            if not places:
                continue
            frame = built.get((encoding, places))
            if frame is None:
                codec = encoding.codec
                if codec not in encoded:
                    encoded[codec] = [codec.publication(name, each) for each in batch]
                frame = encoding.frame([encoded[codec][at] for at in places])
                built[encoding, places] = frame
            frames.append((frame, group, len(places)))
        return frames


def _leave(groups: "dict[Key, Group]", key: Key, session: "Session") -> None:
    group = groups.get(key)
    if group is not None:
        group.pop(session, None)
        if not group:
            del groups[key]
