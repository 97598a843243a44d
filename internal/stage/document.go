package stage

import (
	"context"
	"encoding/json"
)

// insert stores a new document within the quota of its type. before, if not
// nil, is asked first, in the same transaction.
func (s *Service) insert(ctx context.Context, c Caller, d *Document, body any, limit int, before func(Tx) error) (err error) {
	if err := CheckTags(d.Tags); err != nil {
		return err
	}
	if d.Body, err = json.Marshal(body); err != nil {
		return err
	}
	return s.store.Update(ctx, func(tx Tx) error {
		if before != nil {
			if err := before(tx); err != nil {
				return err
			}
		}
		if err := s.checkQuota(tx, c, d.ARN.Type, limit); err != nil {
			return err
		}
		return tx.PutDocument(d)
	})
}

// readOne reads one of the caller's documents as what turn makes of it.
func readOne[T any](ctx context.Context, s *Service, c Caller, arn ARN, turn func(Document) (T, error)) (found T, err error) {
	err = s.store.View(ctx, func(tx Tx) error {
		d, err := document(tx, c, arn)
		if err != nil {
			return err
		}
		found, err = turn(d)
		return err
	})
	return found, err
}

// readPage lists a page of the caller's documents of one type in order of
// creation; with a link, only those that have it.
func readPage[T any](ctx context.Context, s *Service, c Caller, typ string, link ARN, p Page, turn func(Document) (T, error)) (list []T, next int64, err error) {
	err = s.store.View(ctx, func(tx Tx) error {
		docs, err := tx.Documents(DocumentQuery{
			Type: typ, Account: c.Account, Region: c.Region, Link: link, After: p.After, Limit: p.Limit + 1,
		})
		if err != nil {
			return err
		}
		docs, next = cut(docs, p.Limit, func(d Document) int64 { return d.No })
		for _, d := range docs {
			one, err := turn(d)
			if err != nil {
				return err
			}
			list = append(list, one)
		}
		return nil
	})
	return list, next, err
}

// remove deletes one of the caller's documents. before, if not nil, may object.
func (s *Service) remove(ctx context.Context, c Caller, arn ARN, before func(Tx, Document) error) error {
	return s.store.Update(ctx, func(tx Tx) error {
		d, err := document(tx, c, arn)
		if err != nil {
			return err
		}
		if before != nil {
			if err := before(tx, d); err != nil {
				return err
			}
		}
		return tx.DeleteDocument(arn)
	})
}

// unbody reads the body of a document.
func unbody[T any](d Document) (body T, err error) {
	err = json.Unmarshal(d.Body, &body)
	return body, err
}
