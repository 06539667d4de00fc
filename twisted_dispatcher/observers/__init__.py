"""Who watches a dispatcher: each module is one observer (`IObserver`)."""
