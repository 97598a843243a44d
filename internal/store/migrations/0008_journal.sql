-- The number of the last record of the journal beside an SQLite file that the
-- file has, see journal.go. Nothing to a database that has none.
INSERT INTO counter (name, value) VALUES ('journal', 0);
