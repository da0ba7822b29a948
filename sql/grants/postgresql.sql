-- Two roles for a warehouse in PostgreSQL: one that loads, one that only reads.
-- Run once, connected to the warehouse's database, as its owner or a superuser. Change the names,
-- the passwords and the database first; the loader's URL is then
--   postgresql://live_traffic_loader:…@host/live_traffic?schema=live_traffic
-- The loader makes and owns its tables and views, inside this schema only; batches go through
-- temporary tables. The reader can read every table and view, those to come too, and write nothing.

CREATE ROLE live_traffic_loader LOGIN PASSWORD 'change-me';
CREATE ROLE live_traffic_reader LOGIN PASSWORD 'change-me';

GRANT CONNECT, TEMPORARY ON DATABASE live_traffic TO live_traffic_loader;
GRANT CONNECT ON DATABASE live_traffic TO live_traffic_reader;

CREATE SCHEMA IF NOT EXISTS live_traffic AUTHORIZATION live_traffic_loader;
GRANT USAGE ON SCHEMA live_traffic TO live_traffic_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA live_traffic TO live_traffic_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE live_traffic_loader IN SCHEMA live_traffic
    GRANT SELECT ON TABLES TO live_traffic_reader;

-- Names without a schema are found; no statement of the reader writes, not even by mistake.
ALTER ROLE live_traffic_loader SET search_path = live_traffic;
ALTER ROLE live_traffic_reader SET search_path = live_traffic;
ALTER ROLE live_traffic_reader SET default_transaction_read_only = on;

-- PostgreSQL would compile the views' plans, which takes it longer than running them. A person who
-- is given the reader's rights (GRANT live_traffic_reader TO alice) needs this line too.
ALTER ROLE live_traffic_reader SET jit = off;
