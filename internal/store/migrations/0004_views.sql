-- Views for people who read the database with a program of their own. Times are
-- spelled as in the API, in UTC; what is not there is NULL. The spelling is
-- arithmetic that every engine has: the days since March 1968, the year y that
-- began with a March, the month m and the day d in it. It holds until February 2100.
-- A CROSS JOIN has SQLite begin with the session, whatever else is asked.

CREATE VIEW callboard_sessions AS
SELECT s.stage AS stage_arn, n.name AS stage_name, s.id AS session_id,
	CASE WHEN s.ended = 0 THEN 'LIVE' ELSE 'ENDED' END AS state,
	(SELECT SUBSTR(CAST(11968 + y + m / 10 AS TEXT), 2) || '-' || SUBSTR(CAST(103 + m - 12 * (m / 10) AS TEXT), 2)
			|| '-' || SUBSTR(CAST(101 + d - (153 * m + 2) / 5 AS TEXT), 2) || 'T' || SUBSTR(CAST(100 + ms / 3600000 % 24 AS TEXT), 2)
			|| ':' || SUBSTR(CAST(100 + ms / 60000 % 60 AS TEXT), 2) || ':' || SUBSTR(CAST(100 + ms / 1000 % 60 AS TEXT), 2)
			|| '.' || SUBSTR(CAST(1000 + ms % 1000 AS TEXT), 2) || 'Z'
		FROM (SELECT ms, y, d, (5 * d + 2) / 153 AS m FROM (SELECT ms, y, day - 1461 * y / 4 AS d
			FROM (SELECT ms, day, (4 * day + 3) / 1461 AS y FROM (SELECT s.started AS ms, s.started / 86400000 + 671 AS day) t1) t2) t3) t4
		WHERE ms > 0) AS start_time,
	(SELECT SUBSTR(CAST(11968 + y + m / 10 AS TEXT), 2) || '-' || SUBSTR(CAST(103 + m - 12 * (m / 10) AS TEXT), 2)
			|| '-' || SUBSTR(CAST(101 + d - (153 * m + 2) / 5 AS TEXT), 2) || 'T' || SUBSTR(CAST(100 + ms / 3600000 % 24 AS TEXT), 2)
			|| ':' || SUBSTR(CAST(100 + ms / 60000 % 60 AS TEXT), 2) || ':' || SUBSTR(CAST(100 + ms / 1000 % 60 AS TEXT), 2)
			|| '.' || SUBSTR(CAST(1000 + ms % 1000 AS TEXT), 2) || 'Z'
		FROM (SELECT ms, y, d, (5 * d + 2) / 153 AS m FROM (SELECT ms, y, day - 1461 * y / 4 AS d
			FROM (SELECT ms, day, (4 * day + 3) / 1461 AS y FROM (SELECT s.ended AS ms, s.ended / 86400000 + 671 AS day) t1) t2) t3) t4
		WHERE ms > 0) AS end_time,
	s.next_seq - 1 AS participants, s.connected AS connected
FROM session s LEFT JOIN document n ON n.arn = s.stage;

CREATE VIEW callboard_participants AS
SELECT s.stage AS stage_arn, s.id AS session_id, p.seq AS join_sequence, p.id AS participant_id, p.user_id AS user_id,
	CASE WHEN p.connected = 1 THEN 'CONNECTED' ELSE 'DISCONNECTED' END AS state,
	(SELECT SUBSTR(CAST(11968 + y + m / 10 AS TEXT), 2) || '-' || SUBSTR(CAST(103 + m - 12 * (m / 10) AS TEXT), 2)
			|| '-' || SUBSTR(CAST(101 + d - (153 * m + 2) / 5 AS TEXT), 2) || 'T' || SUBSTR(CAST(100 + ms / 3600000 % 24 AS TEXT), 2)
			|| ':' || SUBSTR(CAST(100 + ms / 60000 % 60 AS TEXT), 2) || ':' || SUBSTR(CAST(100 + ms / 1000 % 60 AS TEXT), 2)
			|| '.' || SUBSTR(CAST(1000 + ms % 1000 AS TEXT), 2) || 'Z'
		FROM (SELECT ms, y, d, (5 * d + 2) / 153 AS m FROM (SELECT ms, y, day - 1461 * y / 4 AS d
			FROM (SELECT ms, day, (4 * day + 3) / 1461 AS y FROM (SELECT p.first_join AS ms, p.first_join / 86400000 + 671 AS day) t1) t2) t3) t4
		WHERE ms > 0) AS first_join_time,
	p.published AS published,
	COALESCE((SELECT CASE WHEN e.name = 'PUBLISH_STARTED' THEN 1 ELSE 0 END FROM event e
		WHERE e.session = p.session AND e.participant = p.id AND e.name IN ('PUBLISH_STARTED', 'PUBLISH_STOPPED', 'LEFT')
		ORDER BY e.no DESC LIMIT 1), 0) AS publishing,
	CASE p.recording WHEN 1 THEN 'STARTING' WHEN 2 THEN 'ACTIVE' WHEN 3 THEN 'STOPPING' WHEN 4 THEN 'STOPPED'
		WHEN 5 THEN 'FAILED' ELSE 'DISABLED' END AS recording_state,
	COALESCE(d.protocol, 'UNKNOWN') AS protocol, COALESCE(d.attributes, '{}') AS attributes, -- JSON
	COALESCE(d.os_name, '') AS os_name, COALESCE(d.os_version, '') AS os_version,
	COALESCE(d.browser_name, '') AS browser_name, COALESCE(d.browser_version, '') AS browser_version,
	COALESCE(d.sdk_version, '') AS sdk_version
FROM session s CROSS JOIN participant p
	LEFT JOIN participant_detail d ON d.session = p.session AND d.seq = p.seq
WHERE p.session = s.no;

CREATE VIEW callboard_events AS
SELECT s.stage AS stage_arn, s.id AS session_id, e.no AS no,
	(SELECT SUBSTR(CAST(11968 + y + m / 10 AS TEXT), 2) || '-' || SUBSTR(CAST(103 + m - 12 * (m / 10) AS TEXT), 2)
			|| '-' || SUBSTR(CAST(101 + d - (153 * m + 2) / 5 AS TEXT), 2) || 'T' || SUBSTR(CAST(100 + ms / 3600000 % 24 AS TEXT), 2)
			|| ':' || SUBSTR(CAST(100 + ms / 60000 % 60 AS TEXT), 2) || ':' || SUBSTR(CAST(100 + ms / 1000 % 60 AS TEXT), 2)
			|| '.' || SUBSTR(CAST(1000 + ms % 1000 AS TEXT), 2) || 'Z'
		FROM (SELECT ms, y, d, (5 * d + 2) / 153 AS m FROM (SELECT ms, y, day - 1461 * y / 4 AS d
			FROM (SELECT ms, day, (4 * day + 3) / 1461 AS y FROM (SELECT e.at AS ms, e.at / 86400000 + 671 AS day) t1) t2) t3) t4
		WHERE ms > 0) AS time,
	e.participant AS participant_id, e.name AS name, NULLIF(e.remote, '') AS remote_participant_id,
	NULLIF(e.error, '') AS error_code
FROM session s CROSS JOIN event e
WHERE e.session = s.no;

-- A row for each stretch of time in which a participant was connected, publishing, or
-- subscribed to one publisher. It begins with an event that did not repeat one
-- before, and ends with the next one of the kind that ends it, or with LEFT.
CREATE VIEW callboard_attendance AS
SELECT s.stage AS stage_arn, s.id AS session_id, p.seq AS join_sequence, p.id AS participant_id, p.user_id AS user_id,
	CASE e.name WHEN 'JOINED' THEN 'CONNECTED' WHEN 'PUBLISH_STARTED' THEN 'PUBLISHING' ELSE 'SUBSCRIBED' END AS activity,
	NULLIF(e.remote, '') AS publisher_participant_id,
	(SELECT SUBSTR(CAST(11968 + y + m / 10 AS TEXT), 2) || '-' || SUBSTR(CAST(103 + m - 12 * (m / 10) AS TEXT), 2)
			|| '-' || SUBSTR(CAST(101 + d - (153 * m + 2) / 5 AS TEXT), 2) || 'T' || SUBSTR(CAST(100 + ms / 3600000 % 24 AS TEXT), 2)
			|| ':' || SUBSTR(CAST(100 + ms / 60000 % 60 AS TEXT), 2) || ':' || SUBSTR(CAST(100 + ms / 1000 % 60 AS TEXT), 2)
			|| '.' || SUBSTR(CAST(1000 + ms % 1000 AS TEXT), 2) || 'Z'
		FROM (SELECT ms, y, d, (5 * d + 2) / 153 AS m FROM (SELECT ms, y, day - 1461 * y / 4 AS d
			FROM (SELECT ms, day, (4 * day + 3) / 1461 AS y FROM (SELECT e.at AS ms, e.at / 86400000 + 671 AS day) t1) t2) t3) t4
		WHERE ms > 0) AS start_time,
	(SELECT SUBSTR(CAST(11968 + y + m / 10 AS TEXT), 2) || '-' || SUBSTR(CAST(103 + m - 12 * (m / 10) AS TEXT), 2)
			|| '-' || SUBSTR(CAST(101 + d - (153 * m + 2) / 5 AS TEXT), 2) || 'T' || SUBSTR(CAST(100 + ms / 3600000 % 24 AS TEXT), 2)
			|| ':' || SUBSTR(CAST(100 + ms / 60000 % 60 AS TEXT), 2) || ':' || SUBSTR(CAST(100 + ms / 1000 % 60 AS TEXT), 2)
			|| '.' || SUBSTR(CAST(1000 + ms % 1000 AS TEXT), 2) || 'Z'
		FROM (SELECT ms, y, d, (5 * d + 2) / 153 AS m FROM (SELECT ms, y, day - 1461 * y / 4 AS d
			FROM (SELECT ms, day, (4 * day + 3) / 1461 AS y FROM (SELECT f.at AS ms, f.at / 86400000 + 671 AS day) t1) t2) t3) t4
		WHERE ms > 0) AS end_time,
	f.at - e.at AS ms
FROM session s CROSS JOIN participant p CROSS JOIN event e
	LEFT JOIN event f ON f.no = (SELECT MIN(x.no) FROM event x
		WHERE x.session = e.session AND x.participant = e.participant AND x.no > e.no
			AND (x.name = 'LEFT' OR x.remote = e.remote AND x.name = CASE e.name
				WHEN 'PUBLISH_STARTED' THEN 'PUBLISH_STOPPED' WHEN 'SUBSCRIBE_STARTED' THEN 'SUBSCRIBE_STOPPED' ELSE 'LEFT' END))
WHERE p.session = s.no AND e.session = p.session AND e.participant = p.id
	AND e.name IN ('JOINED', 'PUBLISH_STARTED', 'SUBSCRIBE_STARTED')
	AND COALESCE((SELECT x.name FROM event x
		WHERE x.session = e.session AND x.participant = e.participant AND x.no < e.no
			AND (x.name = 'LEFT' OR x.remote = e.remote AND x.name IN (e.name, CASE e.name
				WHEN 'PUBLISH_STARTED' THEN 'PUBLISH_STOPPED' WHEN 'SUBSCRIBE_STARTED' THEN 'SUBSCRIBE_STOPPED' ELSE 'LEFT' END))
		ORDER BY x.no DESC LIMIT 1), 'LEFT') <> e.name;
