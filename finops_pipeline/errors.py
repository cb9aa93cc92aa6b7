"""Errors raised on purpose, all of them.

* FinopsError
  x ConfigError            a setting is missing, unknown or wrong
  x ServerError            another system could not be read, or did not take what was sent
    + ServerUnavailable    no answer in time, 429 or a 5xx: worth a retry
    + ServerRejected       any other refusal: our request or its address is wrong
      - ServerExpired      410: what we hold is too old to go on with
    + ServerMalformed      an answer we cannot read or do not accept
    + ServerClockDiffers   its clock and ours are minutes apart: its windows may be others than ours
  x LakeError              a lake file cannot be read
    + LakeDamaged          it is missing, or its bytes are not those that were written
  x StateError             the state database is damaged, or does not fit this installation
  x DiskFull               there is no room for what is to be written; nothing is lost
  x DamageRepaired         what was damaged is out of the way: begin again
  x TableError             a table file, or its rows, break the contract
  x WarehouseBusy          another process keeps the warehouse to itself
  x WarehouseDamaged       its file cannot be read: it is made anew from the lake
  x PublicationRefused     a blocking check has rows; readers keep the last publication
  x CloseRefused           a month cannot be closed yet, or is closed already
  x NotPublished           nothing has been published here yet
  x QueryError             a question to the published file that it cannot answer
  x DeliveryError          rows cannot be written where they are to go: to a file, or as a number
"""


class FinopsError(Exception):
    """Base of every error this package raises on purpose."""


class ConfigError(FinopsError):
    """A setting is missing, unknown or wrong."""


class ServerError(FinopsError):
    """Another system could not be read, or did not take what was sent."""


class ServerUnavailable(ServerError):
    """Missing answer, 429 or a 5xx: worth a retry.

    Args:
        message: what was asked and what came.
        retry_after_seconds: how long the server wants to be left alone; None when it does not say.
    """

    def __init__(self, message: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class ServerRejected(ServerError):
    """Refusal with any other status: our request or its address is wrong."""


class ServerExpired(ServerRejected):
    """Status 410: what we hold is too old to go on with."""


class ServerMalformed(ServerError):
    """An answer we cannot read or do not accept."""


class ServerClockDiffers(ServerError):
    """Clocks of a server and of this machine are minutes apart: windows may be others."""


class LakeError(FinopsError):
    """A lake file cannot be read."""


class LakeDamaged(LakeError):
    """A lake file is missing, or its bytes are not those that were written."""

    def __init__(self, path: str, message: str) -> None:
        """Args: the file, relative to the lake, and what is wrong with it."""
        super().__init__(f"{path} {message}")
        self.path = path


class StateError(FinopsError):
    """The state database is damaged, or does not fit this installation."""


class DiskFull(FinopsError):
    """Room is missing for what is to be written; nothing that was there is lost."""


class DamageRepaired(FinopsError):
    """Damage was met and is out of the way: the step that met it has to begin again."""


class TableError(FinopsError):
    """A table file, or its rows, break the contract."""


class WarehouseBusy(FinopsError):
    """Another process keeps the warehouse to itself."""


class WarehouseDamaged(FinopsError):
    """The warehouse's file cannot be read: it is made anew from the lake."""


class PublicationRefused(FinopsError):
    """A blocking check has rows; readers keep the last publication."""


class CloseRefused(FinopsError):
    """A month cannot be closed yet, or is closed already."""


class NotPublished(FinopsError):
    """A publication is missing: nothing has been published here yet."""


class QueryError(FinopsError):
    """A question to the published file that it cannot answer."""


class DeliveryError(FinopsError):
    """Rows cannot be written where they are to go: to a file, or as a number."""
