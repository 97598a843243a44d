-- Sessions that were removed and of which rows are still to be removed.
CREATE TABLE expired (
	session BIGINT NOT NULL,
	PRIMARY KEY (session)
) /* clustered */;

-- The highest number of an event that was removed.
INSERT INTO counter (name, value) VALUES ('oldest', 0);
