from __future__ import annotations

from tsushin.frontend.connect import Connecting, connect
from tsushin.frontend.execution import Result
from tsushin.frontend.frontend import Frontend
from tsushin.frontend.sync import SyncFrontend, connect_sync

__all__ = ["Connecting", "Frontend", "Result", "SyncFrontend", "connect", "connect_sync"]
