"""The stores: where rows, revisions and ledger entries are kept."""
