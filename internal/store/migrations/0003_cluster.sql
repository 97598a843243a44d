-- The servers that run on these facts, and until when each is taken for alive.
CREATE TABLE process (
	id       TEXT NOT NULL,
	url      TEXT NOT NULL,
	settings TEXT NOT NULL,
	renewed  BIGINT NOT NULL,
	expires  BIGINT NOT NULL,
	PRIMARY KEY (id)
);

-- Which of them holds a participant. Empty where one server is alone for good.
CREATE TABLE seat (
	stage       TEXT NOT NULL,
	participant TEXT NOT NULL,
	process     TEXT NOT NULL,
	PRIMARY KEY (stage, participant)
) /* clustered */;

CREATE INDEX seat_process ON seat (process, stage, participant);
