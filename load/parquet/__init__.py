"""The warehouse as open Parquet files in a directory."""
