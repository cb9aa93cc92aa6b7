"""Every error raised on purpose.

* FinopsError
  x ConfigError            a setting is missing, unknown or wrong
  x SourceError            an outside system could not be read
    + SourceUnavailable    no answer in time, 429 or a 5xx: worth a retry
    + SourceRejected       any other status than 200: our request or its address is wrong
      - SourceExpired      410: what we hold is too old to go on with
    + SourceMalformed      an answer we cannot read or do not believe
    + SourceClockDiffers   its clock and ours are minutes apart: its windows may be others than ours
  x LakeError              a lake file is damaged or missing
  x StateError             the state database does not fit this installation
  x TableError             a table file, or its rows, break the contract
  x WarehouseBusy          another process keeps the warehouse to itself
  x PublicationRefused     a blocking check has rows; readers keep the last publication
  x NotPublished           nobody has published anything here yet
  x QueryError             a question to the published file that it cannot answer
  x DeliveryError          a destination did not take what was sent
"""


class FinopsError(Exception):
    """Base of every error this package raises on purpose."""


class ConfigError(FinopsError):
    """A setting is missing, unknown or wrong."""


class SourceError(FinopsError):
    """An outside system could not be read."""


class SourceUnavailable(SourceError):
    """No answer in time, 429 or a 5xx: worth a retry.

    Args:
        message: what was asked and what came.
        retry_after_seconds: how long the server wants to be left alone; None when it does not say.
    """

    def __init__(self, message: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class SourceRejected(SourceError):
    """Any other status than 200: our request or its address is wrong."""


class SourceExpired(SourceRejected):
    """410: what we hold is too old to go on with."""


class SourceMalformed(SourceError):
    """An answer we cannot read or do not believe."""


class SourceClockDiffers(SourceError):
    """Its clock and ours are minutes apart: its windows may be others than ours."""


class LakeError(FinopsError):
    """A lake file is damaged or missing."""


class StateError(FinopsError):
    """The state database does not fit this installation."""


class TableError(FinopsError):
    """A table file, or its rows, break the contract."""


class WarehouseBusy(FinopsError):
    """Another process keeps the warehouse to itself."""


class PublicationRefused(FinopsError):
    """A blocking check has rows; readers keep the last publication."""


class NotPublished(FinopsError):
    """Nobody has published anything here yet."""


class QueryError(FinopsError):
    """A question to the published file that it cannot answer."""


class DeliveryError(FinopsError):
    """A destination did not take what was sent."""
