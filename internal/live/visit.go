package live

import (
	"context"
	"errors"
	"time"

	"callboard/internal/sfu"
	"callboard/internal/stage"
)

// Visit is a subscription of a participant whom another process holds, to a
// publisher who is here. What is to be known of it is written there. It has a
// goroutine of its own.
type Visit struct {
	*reception
	floor *Floor
	mail  mailbox
	told  func(error)
	wish  Wish // without the offer
}

// Host answers an offer for a participant whom another process holds. Errors that
// are not the server's fault are [*stage.Error] and [*sfu.OfferError]; a publisher who is not
// here is NotFound, one who does not publish at the moment is Conflict. n.Closed is called
// exactly once for a visit that came about, whoever ended it.
func (f *Floor) Host(ctx context.Context, w Wish, n sfu.Notify) (*Visit, string, error) {
	if !plausible(w.Publisher) {
		return nil, "", notHere(w.Publisher)
	}
	who, source, err := f.publisher(w)
	if err != nil {
		return nil, "", err
	}
	v := &Visit{floor: f, mail: newMailbox(), told: n.Closed, wish: w}
	v.wish.Offer = ""
	n.Closed = func(err error) { v.mail.post(func() { v.close(err) }) }
	r, answer, err := f.receive(ctx, who, source, w, n)
	if _, offer := errors.AsType[*sfu.OfferError](err); err != nil && !offer {
		err = engineTrouble(err)
	}
	if err != nil {
		return nil, "", err
	}
	r.post, r.end = v.mail.post, v.close
	v.reception = r
	if !f.admit(v) {
		r.Close()
		return nil, "", errClosed
	}
	v.mail.post(r.begin)
	return v, answer, nil
}

// admit puts a visit on the list and starts it, unless the floor is closed.
func (f *Floor) admit(v *Visit) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed || f.vacated {
		return false
	}
	f.visits[v] = struct{}{}
	f.actors.Go(v.run)
	return true
}

func (v *Visit) run() {
	for {
		for _, fn := range v.mail.take() {
			fn()
		}
		if v.over {
			return
		}
		<-v.mail.wake
	}
}

// Close ends the visit.
func (v *Visit) Close() { v.mail.post(func() { v.close(nil) }) }

func (v *Visit) close(err error) {
	if v.over {
		return
	}
	if err != nil && v.Stats().Up.IsZero() {
		v.missed()
	}
	v.reception.Close()
	v.floor.mu.Lock()
	delete(v.floor.visits, v)
	v.floor.mu.Unlock()
	v.told(err)
}

// missed remembers a connection that never came up.
func (v *Visit) missed() {
	v.floor.mishaps.note(key{v.wish.Stage, v.wish.Subscriber}, stage.Failure{
		At: time.Now(), Publisher: v.wish.Publisher, Progress: describe(v.Stats()).Progress,
	})
}

// endVisits ends all of them.
func (f *Floor) endVisits() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for v := range f.visits {
		v.Close()
	}
}
