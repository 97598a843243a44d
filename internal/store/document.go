package store

import (
	"errors"
	"slices"
	"strings"

	"callboard/internal/stage"
)

const (
	documentColumns = `d.arn, d.no, d.version, d.created, d.name, d.tags, d.body,
		COALESCE((SELECT STRING_AGG(l.target, ' ') FROM link l WHERE l.source = d.arn), '')`

	selectDocument = `SELECT ` + documentColumns + ` FROM document d WHERE d.arn = $1`
	listDocuments  = `SELECT ` + documentColumns + ` FROM document d
		WHERE d.type = $1 AND d.account = $2 AND d.region = $3 AND d.no > $4
		ORDER BY d.type, d.account, d.region, d.no LIMIT 0 + $5`
	listLinked = `SELECT ` + documentColumns + ` FROM link k JOIN document d ON d.arn = k.source
		WHERE k.target = $1 AND k.type = $2 AND k.account = $3 AND k.region = $4 AND k.no > $5
		ORDER BY k.target, k.type, k.account, k.region, k.no LIMIT 0 + $6`
	nextRegion = `SELECT d.region FROM document d WHERE d.type = $1 AND d.account = $2 AND d.region > $3
		ORDER BY d.type, d.account, d.region, d.no LIMIT 1`
	countDocuments = `SELECT COUNT(*) FROM (SELECT 1 FROM document WHERE type = $1 AND account = $2 AND region = $3 LIMIT 0 + $4) AS few`
	insertDocument = `INSERT INTO document (arn, type, account, region, no, version, created, name, tags, body)
		VALUES ($1, $2, $3, $4, $5, 1, $6, $7, $8, $9)`
	updateDocument = `UPDATE document SET version = version + 1, name = $1, tags = $2, body = $3
		WHERE arn = $4 AND version = $5`
	deleteDocument = `DELETE FROM document WHERE arn = $1`

	insertLink  = `INSERT INTO link (source, target, type, account, region, no) VALUES ($1, $2, $3, $4, $5, $6)`
	deleteLinks = `DELETE FROM link WHERE source = $1`
)

func scanDocument(r row) (stage.Document, error) {
	tags, err := decodeMap(r.text(5))
	return stage.Document{
		ARN:     readARN(r.text(0)),
		No:      r.int(1),
		Version: r.int(2),
		Created: r.time(3),
		Name:    r.text(4),
		Tags:    tags,
		Body:    r.bytes(6),
		Links:   readLinks(r.text(7)),
	}, err
}

// readLinks takes apart the targets of a document, which come in no order.
func readLinks(text string) (links []stage.ARN) {
	targets := strings.Fields(text)
	slices.Sort(targets)
	for _, target := range targets {
		links = append(links, readARN(target))
	}
	return links
}

// Document reads one document by its ARN.
func (t *tx) Document(arn stage.ARN) (d stage.Document, err error) {
	var bad error
	err = t.one(selectDocument, func(r row) { d, bad = scanDocument(r) }, arn.String())
	return d, errors.Join(err, bad)
}

// Documents lists documents in order of creation.
func (t *tx) Documents(q stage.DocumentQuery) ([]stage.Document, error) {
	sql, args := listDocuments, []any{q.Type, q.Account, q.Region, q.After, limited(q.Limit)}
	if q.Link != (stage.ARN{}) {
		sql, args = listLinked, append([]any{q.Link.String()}, args...)
	}
	list := page[stage.Document](q.Limit)
	var bad error
	err := t.all(sql, func(r row) {
		d, err := scanDocument(r)
		list, bad = append(list, d), errors.Join(bad, err)
	}, args...)
	return list, errors.Join(err, bad)
}

// Regions lists the regions in which an account has documents of one type.
func (t *tx) Regions(typ, account string) (list []string, err error) {
	for last := ""; err == nil; {
		err = t.one(nextRegion, func(r row) { last = r.text(0) }, typ, account, last)
		if err == nil {
			list = append(list, last)
		}
	}
	if errors.Is(err, stage.ErrNoRow) {
		err = nil
	}
	return list, err
}

// CountDocuments counts the documents of one type of one account and region, up to most.
func (t *tx) CountDocuments(typ, account, region string, most int) (n int, err error) {
	err = t.one(countDocuments, func(r row) { n = int(r.int(0)) }, typ, account, region, int64(most))
	return n, err
}

// PutDocument inserts or replaces a document.
func (t *tx) PutDocument(d *stage.Document) error {
	tags, err := encodeMap(d.Tags)
	if err != nil {
		return err
	}
	if d.No == 0 {
		return t.insertDocument(d, tags)
	}
	n, err := t.exec(updateDocument, d.Name, tags, string(d.Body), d.ARN.String(), d.Version)
	if err != nil {
		return err
	}
	if n == 0 {
		return stage.ErrChanged
	}
	d.Version++
	if err := t.write(deleteLinks, d.ARN.String()); err != nil {
		return err
	}
	return t.insertLinks(d)
}

func (t *tx) insertDocument(d *stage.Document, tags string) error {
	no, err := t.next(documentNo)
	if err != nil {
		return err
	}
	err = t.write(insertDocument, d.ARN.String(), d.ARN.Type, d.ARN.Account, d.ARN.Region,
		no, t.now, d.Name, tags, string(d.Body))
	if err != nil {
		return err
	}
	d.No, d.Version, d.Created = no, 1, t.now
	return t.insertLinks(d)
}

// insertLinks notes what a document refers to, each target once.
func (t *tx) insertLinks(d *stage.Document) error {
	for i, target := range d.Links {
		if slices.Contains(d.Links[:i], target) {
			continue
		}
		err := t.write(insertLink, d.ARN.String(), target.String(), d.ARN.Type, d.ARN.Account, d.ARN.Region, d.No)
		if err != nil {
			return err
		}
	}
	return nil
}

// DeleteDocument removes one document and its links.
func (t *tx) DeleteDocument(arn stage.ARN) error {
	n, err := t.exec(deleteDocument, arn.String())
	if err != nil {
		return err
	}
	if n == 0 {
		return stage.ErrNoRow
	}
	if arn.Type == stage.TypeStage {
		t.change.deleted = append(t.change.deleted, arn)
	}
	return t.write(deleteLinks, arn.String())
}
