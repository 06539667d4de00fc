"""
The contract of `IChainStore` as tests, which any store can be held against.

::

    class MyChainsTests(ChainStoreContract, TestCase):
        def make_store(self):
            return MyStore(...)

The store is an `IStore` whose attribute ``chains`` is what is tested. A store whose transactions
execute SQL also passes `SQLChainContract`.
"""

from twisted_dispatcher.testing.chainstores.finding import FindingContract
from twisted_dispatcher.testing.chainstores.locking import LockingContract
from twisted_dispatcher.testing.chainstores.mending import MendingContract
from twisted_dispatcher.testing.chainstores.moving import MovingContract, SQLChainContract
from twisted_dispatcher.testing.chainstores.reading import ReadingContract
from twisted_dispatcher.testing.chainstores.schedule import ScheduleContract

__all__ = ["ChainStoreContract", "SQLChainContract"]


class ChainStoreContract(
    FindingContract,
    LockingContract,
    MovingContract,
    ScheduleContract,
    MendingContract,
    ReadingContract,
):
    """All that every store of chains must do; `scene.Scene` has what a subclass overrides."""
