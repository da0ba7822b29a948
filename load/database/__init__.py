"""The warehouse in a SQL database: one sink for SQLite, PostgreSQL and MariaDB/MySQL."""
