"""What is handed in and out: results, items, windows."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Literal, Optional, Union

Locale = Literal["store", "local"]
Lifespan = Literal["cluster", "resource"]
StrPath = Union[str, "os.PathLike[str]"]


@dataclass
class BroadcastWindow:
    """Who takes part in a coordinated transfer, and when it begins: once one of the given conditions holds.

    Args:
        timeout: begin after so many seconds.
        world_size: begin once so many take part.
        ips: begin once these have joined.
        group_id: the group's name; by default made from keys and version.
        fanout: how many each gives to at once; by default 50 for files, 2 for tensors.
        pack: send the tensors of a state dict as one.

    Raises:
        ValueError: none of timeout, world_size and ips is given.

    Example:
        >>> zcdp.BroadcastWindow(world_size=4, timeout=60)
    """

    timeout: Optional[float] = None
    world_size: Optional[int] = None
    ips: Optional[list[str]] = None
    group_id: Optional[str] = None
    fanout: Optional[int] = None
    pack: bool = False

    def __post_init__(self) -> None:
        if self.timeout is None and self.world_size is None and not self.ips:
            raise ValueError("BroadcastWindow: give at least one of timeout, world_size and ips")


class Item(dict[str, Any]):
    """A key, or a folder of keys, as ``ls``, ``stat`` and ``history`` tell of it.

    A plain ``dict`` (so that ``json.dumps`` and ``pandas.DataFrame`` take it as it is) whose members are attributes, too.
    What a folder does not have is not in the dict; as an attribute it is None. Times are text in ISO 8601 in the dict,
    and ``datetime`` as attributes.

    Example:
        >>> for item in zcdp.ls("team/"):
        ...     print(item["name"], item.size_bytes, item.modified)
    """

    @property
    def name(self) -> str:
        """What follows the prefix that was asked for."""
        return str(self["name"])

    @property
    def key(self) -> str:
        """The whole key."""
        return str(self["key"])

    @property
    def is_directory(self) -> bool:
        """Whether it is a folder of keys; a key that holds a directory is not one."""
        return bool(self["is_directory"])

    @property
    def locale(self) -> str:
        """``"store"``, or the name of the pod that has the data."""
        return str(self["locale"])

    @property
    def kind(self) -> Optional[str]:
        """``"tree"`` (a directory) or ``"file"``."""
        return self.get("kind")

    @property
    def version(self) -> Optional[int]:
        """The version's number, from 1."""
        return self.get("version")

    @property
    def versions(self) -> Optional[int]:
        """How many versions are kept."""
        return self.get("versions")

    @property
    def size_bytes(self) -> Optional[int]:
        """The sum of the files' sizes."""
        return self.get("size_bytes")

    @property
    def files(self) -> Optional[int]:
        """How many files there are."""
        return self.get("files")

    @property
    def digest(self) -> Optional[str]:
        """The snapshot's id: equal content has an equal one, wherever it came from."""
        return self.get("snapshot")

    @property
    def modified(self) -> Optional[datetime]:
        """When this version was made."""
        return _time(self.get("modified"))

    @property
    def expires(self) -> Optional[datetime]:
        """When the key goes by itself; None: never."""
        return _time(self.get("expires"))

    @property
    def replicas(self) -> Optional[int]:
        """How many hold a copy, where the store knows."""
        return self.get("replicas")

    @property
    def lifespan(self) -> str:
        """``"cluster"``: until it is removed, or ``"resource"``."""
        return str(self.get("lifespan", "cluster"))

    def __repr__(self) -> str:
        return f"Item({super().__repr__()})"


def _time(text: Optional[str]) -> Optional[datetime]:
    if not text:
        return None
    pattern = "%Y-%m-%dT%H:%M:%S.%fZ" if "." in text else "%Y-%m-%dT%H:%M:%SZ"
    return datetime.strptime(text, pattern).replace(tzinfo=timezone.utc)


@dataclass(frozen=True)
class PutResult:
    """What a put did.

    Attributes:
        key: the key that was put; empty when there were several.
        version: the key's version now; 0 when there were several.
        kind: ``"tree"`` or ``"file"``.
        snapshot: the content's id.
        files: files in it.
        bytes: their sizes together.
        bytes_sent: what had to travel of that.
        chunks_sent: in how many pieces.
        unchanged: the key had this content already, and kept its version.
        seconds: how long it took.
        parts: with several keys or sources, the result of each, in their order; the figures above are then sums.

    Example:
        >>> done = zcdp.put("team/model/v3", src="./checkpoint")
        >>> print(done.version, done.bytes_sent)
    """

    key: str = ""
    version: int = 0
    kind: str = ""
    snapshot: str = ""
    files: int = 0
    bytes: int = 0
    bytes_sent: int = 0
    chunks_sent: int = 0
    unchanged: bool = False
    seconds: float = 0.0
    parts: tuple[PutResult, ...] = ()

    @classmethod
    def _of(cls, said: Mapping[str, Any]) -> PutResult:
        return cls(**_known(cls, said))

    @classmethod
    def _together(cls, parts: Sequence[PutResult]) -> PutResult:
        return cls(
            files=sum(part.files for part in parts),
            bytes=sum(part.bytes for part in parts),
            bytes_sent=sum(part.bytes_sent for part in parts),
            chunks_sent=sum(part.chunks_sent for part in parts),
            unchanged=all(part.unchanged for part in parts),
            seconds=sum(part.seconds for part in parts),
            parts=tuple(parts),
        )


@dataclass(frozen=True)
class GetResult:
    """What a get did.

    Attributes:
        key: the key that was got; empty when there were several.
        version: which version of it; 0 when there were several.
        kind: ``"tree"`` or ``"file"``.
        snapshot: the content's id.
        path: what the key has become, absolute; with several, the folder that they are in.
        files: files in it.
        bytes: their sizes together.
        files_fetched: files that were not there yet, or were others.
        bytes_fetched: what had to travel.
        removed: files that went.
        seconds: how long it took.
        parts: with several keys, or the keys below one, the result of each; the figures above are then sums. What travelled
            is not known of each key below one.

    Example:
        >>> where = zcdp.get("team/model/v3", dest="./model").path
    """

    key: str = ""
    version: int = 0
    kind: str = ""
    snapshot: str = ""
    path: Path = Path()
    files: int = 0
    bytes: int = 0
    files_fetched: int = 0
    bytes_fetched: int = 0
    removed: int = 0
    seconds: float = 0.0
    parts: tuple[GetResult, ...] = ()

    @classmethod
    def _of(cls, said: Mapping[str, Any]) -> GetResult:
        known = _known(cls, said)
        known["path"] = Path(said.get("path", ""))
        if "keys" in said:  # of a prefix
            known["parts"] = tuple(map(cls._of, said["keys"]))
        return cls(**known)

    @classmethod
    def _together(cls, parts: Sequence[GetResult], path: Path) -> GetResult:
        return cls(
            path=path,
            files=sum(part.files for part in parts),
            bytes=sum(part.bytes for part in parts),
            files_fetched=sum(part.files_fetched for part in parts),
            bytes_fetched=sum(part.bytes_fetched for part in parts),
            removed=sum(part.removed for part in parts),
            seconds=sum(part.seconds for part in parts),
            parts=tuple(parts),
        )


def _known(cls: type[Union[PutResult, GetResult]], said: Mapping[str, Any]) -> dict[str, Any]:
    """The members that `cls` has; a newer executable may say more."""
    return {name: said[name] for name in cls.__dataclass_fields__ if name in said}
