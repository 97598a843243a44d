package stage

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"time"
)

// Stage is the durable place people join.
type Stage struct {
	ARN             ARN
	Name            string
	Tags            map[string]string
	ActiveSessionID string                 // "" when no session is live
	Recording       RecordingConfiguration // zero in lists
	Endpoints       Endpoints
}

// NewStage is what CreateStage may say.
type NewStage struct {
	ID        string // 12 letters and digits that no other stage has; "", as always in the API, draws them
	Name      string
	Tags      map[string]string
	Recording *RecordingChange
	Tokens    []TokenRequest
}

// Check says what is wrong with n whatever is stored.
func (n NewStage) Check() error {
	if n.ID != "" && (len(n.ID) != 12 || !made(n.ID, lower+upper+digits)) {
		return fail(Invalid, "The id of a stage has 12 letters and digits, unlike %q", n.ID)
	}
	for _, t := range n.Tokens {
		if err := t.Check(); err != nil {
			return err
		}
	}
	return CheckTags(n.Tags)
}

// StageChange is what UpdateStage may say; nil leaves a member as it is.
type StageChange struct {
	Name      *string
	Recording *RecordingChange
}

// stageBody is what a stage's document holds beside its name and tags.
type stageBody struct {
	Recording RecordingConfiguration
}

// CreateStage makes a stage and the tokens asked for with it, all or nothing.
// Tokens come back in the order of their requests.
func (s *Service) CreateStage(ctx context.Context, c Caller, n NewStage) (Stage, []IssuedToken, error) {
	if err := n.Check(); err != nil {
		return Stage{}, nil, err
	}
	body := stageBody{Recording: defaultRecording()}
	if n.Recording != nil {
		body.Recording.apply(*n.Recording)
	}
	arn := ARN{Region: c.Region, Account: c.Account, Type: TypeStage, ID: n.ID}
	if n.ID == "" {
		arn = s.newARN(c, TypeStage)
	}
	tokens, err := s.signAll(c, arn, n.Tokens)
	if err != nil {
		return Stage{}, nil, err
	}
	d := Document{ARN: arn, Name: n.Name, Tags: n.Tags}
	if d.Body, err = json.Marshal(body); err != nil {
		return Stage{}, nil, err
	}
	err = s.store.Update(ctx, func(tx Tx) error {
		if _, err := tx.Document(arn); !errors.Is(err, ErrNoRow) {
			return cmp.Or(err, error(fail(Conflict, "Stage %s exists", arn)))
		}
		if err := s.checkQuota(tx, c, TypeStage, s.quotas.Stages); err != nil {
			return err
		}
		// The operation declares no not-found, so an unknown storage configuration is bad input.
		if err := useStorage(tx, c, &d, body.Recording.StorageConfigurationARN, Invalid); err != nil {
			return err
		}
		for _, t := range tokens {
			if err := reserve(tx, arn, t); err != nil {
				return err
			}
		}
		return tx.PutDocument(&d)
	})
	if err != nil {
		return Stage{}, nil, err
	}
	made, err := s.stage(c, d, Session{})
	return made, tokens, err
}

func (s *Service) signAll(c Caller, arn ARN, requests []TokenRequest) ([]IssuedToken, error) {
	var tokens []IssuedToken
	for _, r := range requests {
		t, err := s.sign(c, arn, r)
		if err != nil {
			return nil, err
		}
		tokens = append(tokens, t)
	}
	return tokens, nil
}

// stage assembles what the API shows; live is the zero Session if none is.
func (s *Service) stage(c Caller, d Document, live Session) (Stage, error) {
	body, err := unbody[stageBody](d)
	whole := s.summary(c, d, live)
	whole.Recording = body.Recording
	return whole, err
}

// summary is stage without what lists do not show.
func (s *Service) summary(c Caller, d Document, live Session) Stage {
	return Stage{ARN: d.ARN, Name: d.Name, Tags: d.Tags, ActiveSessionID: live.ID, Endpoints: s.endpointsFor(c)}
}

// Stage reads one stage.
func (s *Service) Stage(ctx context.Context, c Caller, arn ARN) (found Stage, err error) {
	err = s.store.View(ctx, func(tx Tx) error {
		d, err := document(tx, c, arn)
		if err != nil {
			return err
		}
		found, err = s.withSession(tx, c, d)
		return err
	})
	return found, err
}

func (s *Service) withSession(tx Tx, c Caller, d Document) (Stage, error) {
	live, err := tx.LiveSession(d.ARN)
	if err != nil && !errors.Is(err, ErrNoRow) {
		return Stage{}, err
	}
	return s.stage(c, d, live)
}

// Stages lists the caller's stages in order of creation. next is 0 on the last page.
func (s *Service) Stages(ctx context.Context, c Caller, p Page) (list []Stage, next int64, err error) {
	err = s.store.View(ctx, func(tx Tx) error {
		page := DocumentQuery{Type: TypeStage, Account: c.Account, Region: c.Region, After: p.After, Limit: p.Limit + 1}
		docs, err := tx.Documents(page)
		if err != nil {
			return err
		}
		live, err := liveSessions(tx, page)
		if err != nil {
			return err
		}
		docs, next = cut(docs, p.Limit, func(d Document) int64 { return d.No })
		for _, d := range docs {
			list = append(list, s.summary(c, d, live[d.ARN]))
		}
		return nil
	})
	return list, next, err
}

// liveSessions gives the live sessions of a page of stages in one look.
func liveSessions(tx Tx, page DocumentQuery) (map[ARN]Session, error) {
	open, err := tx.Sessions(SessionQuery{Of: page})
	live := make(map[ARN]Session, len(open))
	for _, one := range open {
		live[one.Stage] = one
	}
	return live, err
}

// UpdateStage changes a stage and gives it back.
func (s *Service) UpdateStage(ctx context.Context, c Caller, arn ARN, ch StageChange) (changed Stage, err error) {
	err = s.store.Update(ctx, func(tx Tx) error {
		d, err := document(tx, c, arn)
		if err != nil {
			return err
		}
		if ch.Name != nil {
			d.Name = *ch.Name
		}
		if ch.Recording != nil {
			if err := s.changeRecording(tx, c, &d, *ch.Recording); err != nil {
				return err
			}
		}
		if ch != (StageChange{}) {
			if err := tx.PutDocument(&d); err != nil {
				return err
			}
		}
		changed, err = s.withSession(tx, c, d)
		return err
	})
	return changed, err
}

// DeleteStage ends everyone on the stage and removes it; its history is no
// longer answered. Its ingest configurations are detached, the storage
// configuration it recorded to stays.
func (s *Service) DeleteStage(ctx context.Context, c Caller, arn ARN) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx, cancel := toTheEnd(ctx)
	defer cancel()
	for more := true; more; { // in one transaction, unless there are very many to detach
		err := s.store.Update(ctx, func(tx Tx) (err error) {
			if _, err := document(tx, c, arn); err != nil {
				return err
			}
			if more, err = detachSome(tx, arn); err != nil || more {
				return err
			}
			return tx.DeleteDocument(arn) // from here on nobody is let in
		})
		if err != nil {
			return err
		}
	}
	if err := s.floor.Clear(ctx, arn, ReasonStageDeleted); err != nil {
		return err
	}
	return closeSession(ctx, s.store, arn, nobody)
}

// toTheEnd is the context of a change that takes several steps: a caller who
// hangs up must not leave it halfway.
func toTheEnd(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
}
