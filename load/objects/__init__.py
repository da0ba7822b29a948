"""A warehouse of Parquet files in an S3-compatible object store."""
