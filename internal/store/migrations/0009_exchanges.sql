-- What TOKEN_EXCHANGED tells of the two tokens, by the number of the event: kept
-- apart so that the rows of all other events stay small.
CREATE TABLE exchange (
	no                BIGINT PRIMARY KEY,
	session           BIGINT NOT NULL,
	participant       TEXT NOT NULL,
	old_user_id       TEXT NOT NULL,
	old_attributes    TEXT NOT NULL, -- JSON
	old_may_publish   SMALLINT NOT NULL,
	old_may_subscribe SMALLINT NOT NULL,
	old_expires       BIGINT NOT NULL,
	new_user_id       TEXT NOT NULL,
	new_attributes    TEXT NOT NULL, -- JSON
	new_may_publish   SMALLINT NOT NULL,
	new_may_subscribe SMALLINT NOT NULL,
	new_expires       BIGINT NOT NULL
);

CREATE INDEX exchange_participant ON exchange (session, participant);
CREATE INDEX exchange_old_user_id ON exchange (session, old_user_id, participant);
CREATE INDEX exchange_new_user_id ON exchange (session, new_user_id, participant);

CREATE VIEW callboard_token_exchanges AS
SELECT s.stage AS stage_arn, s.id AS session_id, x.no AS no, x.participant AS participant_id,
	x.old_user_id AS previous_user_id, x.old_attributes AS previous_attributes,
	x.old_may_publish AS previous_publish, x.old_may_subscribe AS previous_subscribe,
	x.new_user_id AS new_user_id, x.new_attributes AS new_attributes,
	x.new_may_publish AS new_publish, x.new_may_subscribe AS new_subscribe
FROM session s CROSS JOIN exchange x
WHERE x.session = s.no;
