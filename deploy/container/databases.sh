#!/bin/sh
# Run once by PostgreSQL's image on an empty volume: Prefect's database, and the warehouse with its two roles.
set -eu

password() { cat "${SECRETS:-/run/secrets}/$1"; }

psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres --quiet \
    --set prefect="$(password prefect_password)" <<'SQL'
CREATE ROLE prefect LOGIN PASSWORD :'prefect';
CREATE DATABASE prefect OWNER prefect;
CREATE DATABASE live_traffic;
SQL

# The roles and rights of the documentation; only the passwords are ours.
psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname live_traffic --quiet --file "${GRANTS:-/grants.sql}"
psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname live_traffic --quiet \
    --set loader="$(password loader_password)" --set reader="$(password reader_password)" <<'SQL'
ALTER ROLE live_traffic_loader PASSWORD :'loader';
ALTER ROLE live_traffic_reader PASSWORD :'reader';
SQL
