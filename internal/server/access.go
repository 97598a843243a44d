package server

import (
	"context"
	"fmt"

	"callboard/internal/api"
	"callboard/internal/keyring"
	"callboard/internal/sigv4"
)

// openAccess finds out who may call the API: the root pair and the book of access keys.
func (s *Server) openAccess(context.Context) (err error) {
	if s.credentials, _, err = s.cfg.Credentials(); err != nil {
		return err
	}
	if s.keys, err = keyring.Open(keyring.Options{Path: s.cfg.KeysPath(), Log: s.log}); err != nil {
		return err
	}
	for _, k := range s.plan.Keys {
		if k.ID == s.credentials.AccessKeyID {
			return fmt.Errorf("the seed %s has %s, which is the server's own", s.cfg.Seed, k)
		}
		if err := s.keys.Add(k); err != nil {
			return fmt.Errorf("the seed %s does not fit the keys that there are: %w", s.cfg.Seed, err)
		}
	}
	return nil
}

func (s *Server) verifier() *sigv4.Verifier {
	return &sigv4.Verifier{
		Service:        "ivs",
		Regions:        s.cfg.Regions,
		Window:         s.cfg.ClockSkew,
		Host:           s.public.Host,
		AnyCredentials: s.cfg.Dev,
		Lookup:         s.lookup,
	}
}

// lookup finds the secret of an access key. The root pair comes first. A revoked key is not known any more.
func (s *Server) lookup(id string) (sigv4.Key, bool) {
	if root := s.credentials; id == root.AccessKeyID {
		return sigv4.Key{AccessKeyID: id, Secret: root.SecretAccessKey}, true
	}
	k := s.keys.Find(id)
	if k == nil || !k.Revoked.IsZero() {
		return sigv4.Key{}, false
	}
	return sigv4.Key{AccessKeyID: id, Secret: k.Secret, SessionToken: k.SessionToken, Expires: k.Expires}, true
}

// principal tells who signed a request. With dev everybody who is not in the book
// may do everything: in the account that is the key id, if that has 12 digits, so
// that tests need not share one. Who is in the book keeps his account and his
// policies, so that they can be rehearsed.
func (s *Server) principal(id sigv4.Identity) api.Principal {
	account, isRoot := s.cfg.Account, id.AccessKeyID == s.credentials.AccessKeyID
	if isRoot {
		s.keys.Refresh() // or nobody would hear of a bad file where only the root pair is used
	} else {
		if k := s.keys.Find(id.AccessKeyID); k != nil {
			return PrincipalOf(k)
		}
		if !s.cfg.Dev {
			return api.Principal{} // its key has left the book since the signature was verified
		}
	}
	if s.cfg.Dev && isAccount(id.AccessKeyID) {
		account = id.AccessKeyID
	}
	return api.Principal{
		Account: account, ARN: "arn:aws:iam::" + account + ":root", Root: true,
		UserID: account, Type: "Account",
	}
}

// PrincipalOf is who signs with a key of the book.
func PrincipalOf(k *keyring.Key) api.Principal {
	p := api.Principal{Account: k.Account, ARN: k.ARN(), Policies: k.Rights()}
	if k.Temporary() {
		p.UserID, p.Type, p.Issued = k.Account+":"+k.Name, "FederatedUser", k.Created
	} else {
		p.UserName, p.UserID, p.Type = k.Name, k.Name, "User"
	}
	return p
}
