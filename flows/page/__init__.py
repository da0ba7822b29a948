"""``report``: the warehouse as one self-contained page, drawn from what the views answer."""
