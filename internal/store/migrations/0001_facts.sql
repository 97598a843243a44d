-- Times are milliseconds since 1970, 0 for none. Flags are 0 or 1.

CREATE TABLE counter (
	name  TEXT NOT NULL,
	value BIGINT NOT NULL,
	PRIMARY KEY (name)
) /* clustered */;

-- The last number given to a document, a session and an event; the last sign of
-- life; the time of the last commit.
INSERT INTO counter (name, value) VALUES ('document', 0), ('session', 0), ('event', 0), ('beat', 0), ('clock', 0);

CREATE TABLE document (
	arn     TEXT NOT NULL,
	type    TEXT NOT NULL,
	account TEXT NOT NULL,
	region  TEXT NOT NULL,
	no      BIGINT NOT NULL,
	version BIGINT NOT NULL,
	created BIGINT NOT NULL,
	name    TEXT NOT NULL,
	tags    TEXT NOT NULL, -- JSON
	body    TEXT NOT NULL, -- JSON
	PRIMARY KEY (arn)
);

CREATE UNIQUE INDEX document_order ON document (type, account, region, no);

CREATE TABLE secret (
	name  TEXT NOT NULL,
	value BYTEA NOT NULL,
	PRIMARY KEY (name)
);

CREATE TABLE pass (
	stage       TEXT NOT NULL,
	participant TEXT NOT NULL,
	expires     BIGINT NOT NULL,
	barred      SMALLINT NOT NULL,
	PRIMARY KEY (stage, participant)
) /* clustered */;

CREATE INDEX pass_expiry ON pass (expires);

CREATE TABLE session (
	no        BIGINT PRIMARY KEY,
	stage     TEXT NOT NULL,
	id        TEXT NOT NULL,
	started   BIGINT NOT NULL,
	ended     BIGINT NOT NULL,
	last_left BIGINT NOT NULL,
	connected BIGINT NOT NULL,
	next_seq  BIGINT NOT NULL
);

CREATE UNIQUE INDEX session_id ON session (stage, id);
CREATE UNIQUE INDEX session_order ON session (stage, no);
CREATE UNIQUE INDEX session_live ON session (stage) WHERE ended = 0;
CREATE UNIQUE INDEX session_live_order ON session (ended, no) WHERE ended = 0;

-- What a list shows. Every filter has an index in the order of the list.
CREATE TABLE participant (
	session    BIGINT NOT NULL,
	seq        BIGINT NOT NULL,
	id         TEXT NOT NULL,
	user_id    TEXT NOT NULL,
	connected  SMALLINT NOT NULL,
	published  SMALLINT NOT NULL,
	recording  SMALLINT NOT NULL,
	first_join BIGINT NOT NULL,
	PRIMARY KEY (session, seq)
) /* clustered */;

CREATE UNIQUE INDEX participant_id ON participant (session, id);
CREATE INDEX participant_user_id ON participant (session, user_id, seq);
CREATE INDEX participant_connected ON participant (session, connected, seq);
CREATE INDEX participant_published ON participant (session, published, seq);
CREATE INDEX participant_recording ON participant (session, recording, seq);

-- What only the view of a single participant shows, kept apart so that the rows
-- of lists stay small.
CREATE TABLE participant_detail (
	session         BIGINT NOT NULL,
	seq             BIGINT NOT NULL,
	attributes      TEXT NOT NULL, -- JSON
	protocol        TEXT NOT NULL,
	os_name         TEXT NOT NULL,
	os_version      TEXT NOT NULL,
	browser_name    TEXT NOT NULL,
	browser_version TEXT NOT NULL,
	sdk_version     TEXT NOT NULL,
	PRIMARY KEY (session, seq)
) /* clustered */;

CREATE TABLE event (
	no          BIGINT PRIMARY KEY,
	at          BIGINT NOT NULL,
	stage       TEXT NOT NULL,
	session     BIGINT NOT NULL,
	participant TEXT NOT NULL,
	name        TEXT NOT NULL,
	remote      TEXT NOT NULL,
	error       TEXT NOT NULL
);

CREATE INDEX event_participant ON event (session, participant, no);
