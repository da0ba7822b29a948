-- Two users for a warehouse in MariaDB or MySQL: one that loads, one that only reads.
-- Run once as root. Change the names, the passwords and the hosts ('%' is any) first; the loader's
-- URL is then
--   mysql://live_traffic_loader:…@host/live_traffic
-- The loader makes its tables, indexes and views inside this database only; batches go through
-- temporary tables. The reader can read every table and view, those to come too, and write nothing.
-- Views run with the rights of who asks, so the reader has SELECT on the tables as well.

CREATE DATABASE IF NOT EXISTS live_traffic CHARACTER SET utf8mb4;

CREATE USER 'live_traffic_loader'@'%' IDENTIFIED BY 'change-me';
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, CREATE VIEW, SHOW VIEW,
    CREATE TEMPORARY TABLES ON live_traffic.* TO 'live_traffic_loader'@'%';

CREATE USER 'live_traffic_reader'@'%' IDENTIFIED BY 'change-me';
GRANT SELECT, SHOW VIEW ON live_traffic.* TO 'live_traffic_reader'@'%';
