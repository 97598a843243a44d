package stage

import (
	"context"
	"encoding/json"

	"callboard/internal/token"
)

// PublicKey verifies the tokens that a customer signs.
type PublicKey struct {
	ARN         ARN
	Name        string
	Tags        map[string]string
	Material    string // PEM as it was given
	Fingerprint string
}

type publicKeyBody struct {
	Material    string
	Fingerprint string
}

// manyKeys is more public keys than an account has in a region, for looking
// through all of them.
const manyKeys = 1000

// ImportPublicKey stores a key. Only EC P-384 keys are accepted, each once.
func (s *Service) ImportPublicKey(ctx context.Context, c Caller, name, material string, tags map[string]string) (PublicKey, error) {
	if err := checkTags(tags); err != nil {
		return PublicKey{}, err
	}
	_, fingerprint, err := token.ParsePublicKey(material)
	if err != nil {
		return PublicKey{}, &Error{Kind: Invalid, Message: err.Error()}
	}
	d := Document{
		ARN:  ARN{Region: c.Region, Account: c.Account, Type: TypePublicKey, ID: s.randomUUID()},
		Name: name,
		Tags: tags,
	}
	if d.Body, err = json.Marshal(publicKeyBody{Material: material, Fingerprint: fingerprint}); err != nil {
		return PublicKey{}, err
	}
	err = s.store.Update(ctx, func(tx Tx) error {
		if err := refuseSameKey(tx, c, fingerprint); err != nil {
			return err
		}
		if err := s.checkQuota(tx, c, TypePublicKey, s.quotas.PublicKeys); err != nil {
			return err
		}
		return tx.PutDocument(&d)
	})
	if err != nil {
		return PublicKey{}, err
	}
	return publicKey(d)
}

func refuseSameKey(tx Tx, c Caller, fingerprint string) error {
	docs, err := tx.Documents(DocumentQuery{Type: TypePublicKey, Account: c.Account, Region: c.Region, Limit: manyKeys})
	if err != nil {
		return err
	}
	for _, d := range docs {
		k, err := publicKey(d)
		if err != nil {
			return err
		}
		if k.Fingerprint == fingerprint {
			return fail(Conflict, "This public key is imported already, as %s", d.ARN)
		}
	}
	return nil
}

func publicKey(d Document) (PublicKey, error) {
	var body publicKeyBody
	if err := json.Unmarshal(d.Body, &body); err != nil {
		return PublicKey{}, err
	}
	return PublicKey{ARN: d.ARN, Name: d.Name, Tags: d.Tags, Material: body.Material, Fingerprint: body.Fingerprint}, nil
}

// PublicKey reads one key.
func (s *Service) PublicKey(ctx context.Context, c Caller, arn ARN) (key PublicKey, err error) {
	err = s.store.View(ctx, func(tx Tx) error {
		d, err := document(tx, c, arn)
		if err != nil {
			return err
		}
		key, err = publicKey(d)
		return err
	})
	return key, err
}

// PublicKeys lists the caller's keys in order of creation.
func (s *Service) PublicKeys(ctx context.Context, c Caller, p Page) (list []PublicKey, next int64, err error) {
	err = s.store.View(ctx, func(tx Tx) error {
		docs, err := tx.Documents(DocumentQuery{Type: TypePublicKey, Account: c.Account, Region: c.Region, After: p.After, Limit: p.Limit + 1})
		if err != nil {
			return err
		}
		docs, next = cut(docs, p.Limit, func(d Document) int64 { return d.No })
		for _, d := range docs {
			key, err := publicKey(d)
			if err != nil {
				return err
			}
			list = append(list, key)
		}
		return nil
	})
	return list, next, err
}

// DeletePublicKey removes a key: tokens signed with it no longer let anyone in.
func (s *Service) DeletePublicKey(ctx context.Context, c Caller, arn ARN) error {
	return s.store.Update(ctx, func(tx Tx) error {
		if _, err := document(tx, c, arn); err != nil {
			return err
		}
		return tx.DeleteDocument(arn)
	})
}
