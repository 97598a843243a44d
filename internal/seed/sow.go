package seed

import (
	"context"
	"fmt"
	"time"

	"callboard/internal/stage"
)

// Crop is what came of a seed: what tests need to know of it.
type Crop struct {
	Stages     []Grown    `json:"stages"`
	PublicKeys []Imported `json:"publicKeys,omitempty"`
}

// Grown is a stage of a seed and the tokens that were issued for it.
type Grown struct {
	Name   string   `json:"name"`
	ARN    string   `json:"arn"`
	Tokens []Issued `json:"tokens"`

	arn stage.ARN
}

// Issued is a token of a seed.
type Issued struct {
	Name           string    `json:"name,omitempty"`
	UserID         string    `json:"userId"`
	ParticipantID  string    `json:"participantId"`
	Token          string    `json:"token"`
	ExpirationTime time.Time `json:"expirationTime"`

	token stage.IssuedToken
}

// Imported is a public key of a seed.
type Imported struct {
	Name        string `json:"name"`
	ARN         string `json:"arn"`
	Fingerprint string `json:"fingerprint"`
}

// page is how many resources are looked at together.
const page = 100

// Sow makes what the plan wants and is not there, and issues the tokens. The
// access keys are not its business. What it has made when it fails, stays.
func (p *Plan) Sow(ctx context.Context, s *stage.Service) (*Crop, error) {
	w := &sower{service: s, names: make(map[stage.Caller]map[string]stage.Stage)}
	crop := &Crop{Stages: []Grown{}}
	for _, want := range p.PublicKeys {
		key, err := w.publicKey(ctx, want)
		if err != nil {
			return nil, fmt.Errorf("the public key of the seed's line %d: %w", want.line, err)
		}
		crop.PublicKeys = append(crop.PublicKeys, Imported{key.Name, key.ARN.String(), key.Fingerprint})
	}
	for _, want := range p.Stages {
		grown, err := w.stage(ctx, want)
		if err != nil {
			return nil, fmt.Errorf("the stage of the seed's line %d: %w", want.line, err)
		}
		crop.Stages = append(crop.Stages, grown)
	}
	return crop, nil
}

// Reworded is the crop as somebody finds it who reaches the server under other
// endpoints than its own: the same tokens, with those URLs in them.
func (c *Crop) Reworded(s *stage.Service, e stage.Endpoints) (*Crop, error) {
	other := &Crop{Stages: make([]Grown, len(c.Stages)), PublicKeys: c.PublicKeys}
	for i, g := range c.Stages {
		tokens := make([]Issued, len(g.Tokens))
		for j, t := range g.Tokens {
			again, err := s.Reword(stage.Caller{Account: g.arn.Account, Region: g.arn.Region, Endpoints: e}, g.arn, t.token)
			if err != nil {
				return nil, err
			}
			t.token, t.Token = again, again.JWT
			tokens[j] = t
		}
		g.Tokens = tokens
		other.Stages[i] = g
	}
	return other, nil
}

// sower is one sowing.
type sower struct {
	service *stage.Service
	names   map[stage.Caller]map[string]stage.Stage // by account and region: the stages that were there, by name
}

func caller(account, region string) stage.Caller {
	return stage.Caller{Account: account, Region: region, ARN: "arn:aws:iam::" + account + ":root"}
}

func (w *sower) stage(ctx context.Context, want Stage) (Grown, error) {
	found, tokens, err := w.grow(ctx, caller(want.Account, want.Region), want)
	if err != nil {
		return Grown{}, err
	}
	g := Grown{Name: found.Name, ARN: found.ARN.String(), Tokens: []Issued{}, arn: found.ARN}
	for i, t := range tokens {
		g.Tokens = append(g.Tokens, Issued{want.Tokens[i].Name, t.UserID, t.ParticipantID, t.JWT, t.Expires, t})
	}
	return g, nil
}

// grow gives a stage, which it makes if it is not there, and its tokens. Making
// both is one transaction, which is half the time that a start takes for a seed.
func (w *sower) grow(ctx context.Context, c stage.Caller, want Stage) (stage.Stage, []stage.IssuedToken, error) {
	found, there, err := w.find(ctx, c, want)
	if err != nil {
		return stage.Stage{}, nil, err
	}
	var requests []stage.TokenRequest
	for _, t := range want.Tokens {
		requests = append(requests, t.TokenRequest)
	}
	if !there {
		return w.service.CreateStage(ctx, c, stage.NewStage{ID: want.ID, Name: want.Name, Tags: want.Tags, Tokens: requests})
	}
	var tokens []stage.IssuedToken
	for _, r := range requests {
		issued, err := w.service.CreateToken(ctx, c, found.ARN, r)
		if err != nil {
			return stage.Stage{}, nil, err
		}
		tokens = append(tokens, issued)
	}
	return found, tokens, nil
}

// find looks for a stage by its id or, if it has none, by its name.
func (w *sower) find(ctx context.Context, c stage.Caller, want Stage) (stage.Stage, bool, error) {
	if want.ID != "" {
		found, err := w.service.Stage(ctx, c, stage.ARN{Region: c.Region, Account: c.Account, Type: stage.TypeStage, ID: want.ID})
		if stage.KindOf(err) == stage.NotFound {
			return stage.Stage{}, false, nil
		}
		return found, err == nil, err
	}
	if w.names[c] == nil {
		names, err := w.named(ctx, c)
		if err != nil {
			return stage.Stage{}, false, err
		}
		w.names[c] = names
	}
	found, there := w.names[c][want.Name]
	return found, there, nil
}

// named gives the stages of an account and region by their names; of several
// with one name, the oldest.
func (w *sower) named(ctx context.Context, c stage.Caller) (map[string]stage.Stage, error) {
	names := make(map[string]stage.Stage)
	for after := int64(0); ; {
		list, next, err := w.service.Stages(ctx, c, stage.Page{After: after, Limit: page})
		if err != nil {
			return nil, err
		}
		for _, s := range list {
			if _, older := names[s.Name]; !older {
				names[s.Name] = s
			}
		}
		if next == 0 {
			return names, nil
		}
		after = next
	}
}

func (w *sower) publicKey(ctx context.Context, want PublicKey) (stage.PublicKey, error) {
	c := caller(want.Account, want.Region)
	for after := int64(0); ; {
		list, next, err := w.service.PublicKeys(ctx, c, stage.Page{After: after, Limit: page})
		if err != nil {
			return stage.PublicKey{}, err
		}
		for _, k := range list {
			if k.Fingerprint == want.fingerprint {
				return k, nil
			}
		}
		if next == 0 {
			return w.service.ImportPublicKey(ctx, c, want.Name, want.Material, want.Tags)
		}
		after = next
	}
}
