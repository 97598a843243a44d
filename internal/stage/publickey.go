package stage

import (
	"context"

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
	if err := CheckTags(tags); err != nil {
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
	body := publicKeyBody{Material: material, Fingerprint: fingerprint}
	err = s.insert(ctx, c, &d, body, s.quotas.PublicKeys, func(tx Tx) error { return refuseSameKey(tx, c, fingerprint) })
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
			return fail(Conflict, "This public key is imported already") // as which, not everybody may know
		}
	}
	return nil
}

func publicKey(d Document) (PublicKey, error) {
	body, err := unbody[publicKeyBody](d)
	return PublicKey{ARN: d.ARN, Name: d.Name, Tags: d.Tags, Material: body.Material, Fingerprint: body.Fingerprint}, err
}

// PublicKey reads one key.
func (s *Service) PublicKey(ctx context.Context, c Caller, arn ARN) (PublicKey, error) {
	return readOne(ctx, s, c, arn, publicKey)
}

// PublicKeys lists the caller's keys in order of creation.
func (s *Service) PublicKeys(ctx context.Context, c Caller, p Page) (list []PublicKey, next int64, err error) {
	return readPage(ctx, s, c, TypePublicKey, ARN{}, p, publicKey)
}

// DeletePublicKey removes a key: tokens signed with it no longer let anyone in.
func (s *Service) DeletePublicKey(ctx context.Context, c Caller, arn ARN) error {
	return s.remove(ctx, c, arn, nil)
}
