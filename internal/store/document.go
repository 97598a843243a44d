package store

import (
	"errors"

	"callboard/internal/stage"
)

const (
	documentColumns = `arn, no, version, created, name, tags, body`

	selectDocument = `SELECT ` + documentColumns + ` FROM document WHERE arn = $1`
	listDocuments  = `SELECT ` + documentColumns + ` FROM document
		WHERE type = $1 AND account = $2 AND region = $3 AND no > $4
		ORDER BY type, account, region, no LIMIT 0 + $5`
	countDocuments = `SELECT COUNT(*) FROM document WHERE type = $1 AND account = $2 AND region = $3`
	insertDocument = `INSERT INTO document (arn, type, account, region, no, version, created, name, tags, body)
		VALUES ($1, $2, $3, $4, $5, 1, $6, $7, $8, $9)`
	updateDocument = `UPDATE document SET version = version + 1, name = $1, tags = $2, body = $3
		WHERE arn = $4 AND version = $5`
	deleteDocument = `DELETE FROM document WHERE arn = $1`
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
	}, err
}

// Document reads one document by its ARN.
func (t *tx) Document(arn stage.ARN) (d stage.Document, err error) {
	var bad error
	err = t.one(selectDocument, func(r row) { d, bad = scanDocument(r) }, arn.String())
	return d, errors.Join(err, bad)
}

// Documents lists documents in order of creation.
func (t *tx) Documents(q stage.DocumentQuery) ([]stage.Document, error) {
	list := page[stage.Document](q.Limit)
	var bad error
	err := t.all(listDocuments, func(r row) {
		d, err := scanDocument(r)
		list, bad = append(list, d), errors.Join(bad, err)
	}, q.Type, q.Account, q.Region, q.After, limited(q.Limit))
	return list, errors.Join(err, bad)
}

// CountDocuments counts all documents of one type of one account and region.
func (t *tx) CountDocuments(typ, account, region string) (n int, err error) {
	err = t.one(countDocuments, func(r row) { n = int(r.int(0)) }, typ, account, region)
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
	return nil
}

func (t *tx) insertDocument(d *stage.Document, tags string) error {
	no, err := t.next("document")
	if err != nil {
		return err
	}
	_, err = t.exec(insertDocument, d.ARN.String(), d.ARN.Type, d.ARN.Account, d.ARN.Region,
		no, t.now, d.Name, tags, string(d.Body))
	if err == nil {
		d.No, d.Version, d.Created = no, 1, t.now
	}
	return err
}

// DeleteDocument removes one document.
func (t *tx) DeleteDocument(arn stage.ARN) error {
	n, err := t.exec(deleteDocument, arn.String())
	if err == nil && n == 0 {
		err = stage.ErrNoRow
	}
	if err == nil && arn.Type == stage.TypeStage {
		t.change.deleted = append(t.change.deleted, arn)
	}
	return err
}
