-- What the last commits changed, for the other processes on this database and for
-- one that does not know whether its own came through. The number of the last
-- one is a counter. Empty where one process is alone for good.
CREATE TABLE batch (
	no      BIGINT PRIMARY KEY,
	process TEXT NOT NULL,
	changes TEXT NOT NULL -- see batch.go
);

INSERT INTO counter (name, value) VALUES ('batch', 0);
