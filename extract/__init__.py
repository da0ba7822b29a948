"""The source: the vendor's Live statistics API, from credentials to validated frames."""
