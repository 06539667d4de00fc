"""Programs that block: in threads beside trial's reactor, and in processes of their own."""
