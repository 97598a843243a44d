package stage

import (
	"context"
	"errors"
	"math"
	"time"
)

// Erasure says whose traces are to go.
type Erasure struct {
	UserID string
	Stage  ARN // only on this stage, which may have been deleted; zero for all of the account, in every region

	// Quick leaves fragments that no query finds in unused parts of the store's
	// files. To make those anew takes seconds for a gigabyte, in which nobody joins.
	Quick bool
}

// Erased counts what an erasure found.
type Erased struct {
	Sessions     int
	Participants int
}

// maxUserID is the longest user id that a participant can have, in characters.
const maxUserID = 128

// Erase takes the user id, the attributes and the client from every participant
// that had this user id, be it until or since it exchanged its token, and what it exchanged. The participants stay, under their participant ids and
// with their events, so that no count changes; nobody finds them by the user id
// any more. When it returns nothing of it is left in the store's files (of a
// PostgreSQL server: when that has vacuumed).
//
// It is a Conflict while one of them is connected, or while an ingest
// configuration would bring the user id back. It may be called again after it failed.
func (s *Service) Erase(ctx context.Context, c Caller, e Erasure) (done Erased, err error) {
	if e.UserID == "" || len([]rune(e.UserID)) > maxUserID {
		return done, fail(Invalid, "The user id to erase must have 1 to %d characters", maxUserID)
	}
	if e.Stage != (ARN{}) {
		if err := c.reach(e.Stage); err != nil {
			return done, err
		}
	}
	if err := s.checkErasure(ctx, c, e); err != nil {
		return done, err
	}
	err = s.eachWith(ctx, c, e, func(one Session) error {
		n, err := s.eraseIn(ctx, one, e.UserID)
		if n > 0 {
			done.Sessions++
			done.Participants += n
		}
		return err
	})
	if err != nil {
		return done, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Minute) // whoever asked may not have the patience
	defer cancel()
	return done, s.store.Scrub(ctx, !e.Quick)
}

// eachWith shows act the sessions in which the user id occurs.
func (s *Service) eachWith(ctx context.Context, c Caller, e Erasure, act func(Session) error) error {
	return eachSession(ctx, s.store, func(tx Tx, page []Session) (found []Session, err error) {
		for _, one := range page {
			if one.Stage.Account != c.Account || e.Stage != (ARN{}) && one.Stage != e.Stage {
				continue
			}
			rows, err := bearers(tx, one.No, e.UserID, 1)
			if err != nil {
				return nil, err
			}
			if len(rows) > 0 {
				found = append(found, one)
			}
		}
		return found, nil
	}, func(found []Session) error {
		for _, one := range found {
			if err := act(one); err != nil {
				return err
			}
		}
		return nil
	})
}

// checkErasure refuses before anything is touched.
func (s *Service) checkErasure(ctx context.Context, c Caller, e Erasure) error {
	err := s.store.View(ctx, func(tx Tx) error {
		regions, err := tx.Regions(TypeIngestConfiguration, c.Account)
		for _, region := range regions {
			err = errors.Join(err, checkIngest(tx, c.Account, region, e.UserID))
		}
		return err
	})
	if err != nil {
		return err
	}
	return s.eachWith(ctx, c, e, func(one Session) error {
		if one.Connected == 0 {
			return nil
		}
		return s.store.View(ctx, func(tx Tx) error {
			rows, err := bearers(tx, one.No, e.UserID, math.MaxInt32)
			for _, p := range rows {
				if p.Connected {
					return stillHere(one, p)
				}
			}
			return err
		})
	})
}

// checkIngest refuses if an ingest configuration has the user id.
func checkIngest(tx Tx, account, region, userID string) error {
	for after, n := int64(0), sweepBatch; n == sweepBatch; {
		docs, err := tx.Documents(DocumentQuery{Type: TypeIngestConfiguration, Account: account, Region: region, After: after, Limit: sweepBatch})
		n = len(docs)
		for _, d := range docs {
			after = d.No
			i, err := ingestConfiguration(d)
			if err == nil && i.UserID == userID {
				err = fail(Conflict, "Ingest configuration %s has this user id; delete it first", d.ARN)
			}
			if err != nil {
				return err
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// bearers lists participants of a session who have a user id, or had it and have
// exchanged their token since. One may be listed more than once.
func bearers(tx Tx, session int64, userID string, limit int) ([]Participant, error) {
	rows, err := tx.Participants(ParticipantQuery{Session: session, UserID: &userID, Limit: limit})
	if err != nil || len(rows) == limit {
		return rows, err
	}
	former, err := tx.Exchanged(session, userID, limit-len(rows))
	if err != nil {
		return nil, err
	}
	for _, id := range former {
		p, err := tx.Participant(session, id)
		if err != nil {
			return nil, err
		}
		rows = append(rows, p)
	}
	return rows, nil
}

func stillHere(s Session, p Participant) error {
	return fail(Conflict, "Participant %s of stage %s has this user id and is connected; disconnect it first", p.ID, s.Stage)
}

// eraseIn erases the participants of one session, a batch at a time.
func (s *Service) eraseIn(ctx context.Context, one Session, userID string) (done int, err error) {
	for n := 1; n > 0 && err == nil; {
		erased := map[int64]bool{}
		err = s.store.Update(ctx, func(tx Tx) error {
			clear(erased)
			rows, err := bearers(tx, one.No, userID, sweepBatch)
			if err != nil {
				return err
			}
			for _, p := range rows {
				if p.Connected {
					return stillHere(one, p)
				}
				if erased[p.Seq] {
					continue
				}
				if err := tx.Erase(one.No, p.Seq); err != nil {
					return err
				}
				erased[p.Seq] = true
			}
			return nil
		})
		n = len(erased)
		if err == nil {
			done += n
		}
	}
	return done, err
}
