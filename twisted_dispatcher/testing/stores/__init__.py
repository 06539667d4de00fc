"""
The contract of `IStore` as tests, which any store can be held against.

::

    class MyStoreTests(StoreContract, TestCase):
        def make_store(self):
            return MyStore(...)

`StoreContract` has all that does not depend on SQL. A store whose transactions execute SQL also
passes `SQLContract`, and one that provides `IAnsweringStore` passes `AnsweringContract`. The tests
take as many turns of the reactor as the store does, and no time.
"""

from twisted_dispatcher.testing.stores.accepting import AcceptingContract
from twisted_dispatcher.testing.stores.answering import AnsweringContract
from twisted_dispatcher.testing.stores.claiming import ClaimingContract
from twisted_dispatcher.testing.stores.forgetting import ForgettingContract
from twisted_dispatcher.testing.stores.isolation import IsolationContract
from twisted_dispatcher.testing.stores.journeys import JourneysContract
from twisted_dispatcher.testing.stores.lanes import LanesContract
from twisted_dispatcher.testing.stores.listening import ListeningContract
from twisted_dispatcher.testing.stores.mending import MendingContract
from twisted_dispatcher.testing.stores.planning import PlanningContract
from twisted_dispatcher.testing.stores.ranks import RanksContract
from twisted_dispatcher.testing.stores.reading import ReadingContract
from twisted_dispatcher.testing.stores.settling import SettlingContract
from twisted_dispatcher.testing.stores.transacting import SQLContract, TransactingContract
from twisted_dispatcher.testing.stores.workers import WorkersContract

__all__ = ["AnsweringContract", "SQLContract", "StoreContract"]


class StoreContract(
    AcceptingContract,
    PlanningContract,
    SettlingContract,
    RanksContract,
    LanesContract,
    ClaimingContract,
    WorkersContract,
    TransactingContract,
    MendingContract,
    ReadingContract,
    ForgettingContract,
    ListeningContract,
    IsolationContract,
    JourneysContract,
):
    """All that every store must do; `scene.Scene` has what a subclass overrides."""
