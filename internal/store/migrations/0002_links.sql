-- Which resources a document refers to, for the question who refers to one.
-- The source's type, account, region and number are those of its document.
CREATE TABLE link (
	source  TEXT NOT NULL, -- ARN of the document that refers
	target  TEXT NOT NULL, -- ARN of what it refers to
	type    TEXT NOT NULL,
	account TEXT NOT NULL,
	region  TEXT NOT NULL,
	no      BIGINT NOT NULL,
	PRIMARY KEY (source, target)
) /* clustered */;

CREATE UNIQUE INDEX link_target ON link (target, type, account, region, no);
