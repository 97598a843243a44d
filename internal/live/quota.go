package live

import (
	"fmt"
	"sync"

	"callboard/internal/stage"
)

// The quotas of people who are present.
const (
	publishersPerStage     = "publishers-per-stage"
	publishersPerRegion    = "publishers-per-region"
	subscribersPerStage    = "subscribers-per-stage"
	subscriptionsPerRegion = "subscriptions-per-region"
)

// tally counts who publishes and who subscribes on the whole floor, by quota. A
// leg counts from its offer on, connected or not, or a crowd that comes at
// once would all get in.
type tally struct {
	note func(share) // told of every count that has changed; quick

	mu     sync.Mutex
	counts map[share]int            // none is 0
	others map[string]map[share]int // what other processes have told, by process
}

// share is what a quota is counted for: the stage is empty for those of a region.
type share struct{ quota, account, region, stage string }

func shareOf(d stage.Demand) share { return share{d.Quota, d.Account, d.Region, d.Stage.ID} }

// take counts one more for all demands, or for none if one of them is over its
// limit; Had of each is filled in.
func (t *tally) take(demands []stage.Demand) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	granted := true
	for i := range demands {
		demands[i].Had = t.had(shareOf(demands[i]))
		granted = granted && !demands[i].Refused()
	}
	if granted {
		for _, d := range demands {
			t.counts[shareOf(d)]++
			t.note(shareOf(d))
		}
	}
	return granted
}

// had counts in all processes; how it stands in others is known here a moment
// later. The lock is held.
func (t *tally) had(s share) int {
	n := t.counts[s]
	for _, counts := range t.others {
		n += counts[s]
	}
	return n
}

// give takes back what take has counted.
func (t *tally) give(demands []stage.Demand) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, d := range demands {
		s := shareOf(d)
		if t.counts[s]--; t.counts[s] == 0 {
			delete(t.counts, s)
		}
		t.note(s)
	}
}

// seat has m counted, unless the participant has a leg for the same purpose, whose
// place m is going to take. release must follow, whatever happens in between.
func (p *participant) seat(m *Media) error {
	if p.seats[m.target] == 0 {
		if err := p.demand(p.demands(m.target)); err != nil {
			return err
		}
	}
	p.seats[m.target]++
	m.seated = true
	return nil
}

// vacate is the end of what seat began. Doing it twice is as good as once.
func (p *participant) vacate(m *Media) {
	if !m.seated {
		return
	}
	m.seated = false
	if p.seats[m.target]--; p.seats[m.target] > 0 {
		return
	}
	delete(p.seats, m.target)
	p.floor.tally.give(p.demands(m.target))
}

// release vacates for a leg that did not come about.
func (p *participant) release(m *Media) {
	if _, here := p.media[m]; !here {
		p.vacate(m)
	}
}

// demands are what a leg for a purpose that no leg of the participant has yet, or
// has any more, counts for. Its first subscription makes it a subscriber of the stage.
func (p *participant) demands(target string) []stage.Demand {
	q := p.floor.Quotas
	perStage := func(name string, limit int) stage.Demand {
		return stage.Demand{Quota: name, Account: p.key.stage.Account, Region: p.key.stage.Region, Stage: p.key.stage, Limit: limit}
	}
	perRegion := func(name string, limit int) stage.Demand {
		return stage.Demand{Quota: name, Account: p.key.stage.Account, Region: p.key.stage.Region, Limit: limit}
	}
	if target == "" {
		return []stage.Demand{perStage(publishersPerStage, q.PublishersPerStage), perRegion(publishersPerRegion, q.Publishers)}
	}
	demands := []stage.Demand{perRegion(subscriptionsPerRegion, q.Subscriptions)}
	if !p.subscribes() {
		demands = append(demands, perStage(subscribersPerStage, q.SubscribersPerStage))
	}
	return demands
}

// subscribes tells whether the participant has a subscription, connected or not.
func (p *participant) subscribes() bool {
	for target := range p.seats {
		if target != "" {
			return true
		}
	}
	return false
}

// demand asks the tally, and tells whoever is interested.
func (p *participant) demand(demands []stage.Demand) error {
	granted := p.floor.tally.take(demands)
	for _, d := range demands {
		if p.floor.Demanded != nil && (granted || d.Refused()) {
			p.floor.Demanded(d)
		}
	}
	for _, d := range demands {
		if d.Refused() {
			return full(d)
		}
	}
	return nil
}

func full(d stage.Demand) error {
	who, place := "publishers", "region "+d.Region
	switch d.Quota {
	case subscribersPerStage:
		who = "subscribers"
	case subscriptionsPerRegion:
		who = "subscriptions"
	}
	if d.Stage.ID != "" {
		place = "stage " + d.Stage.String()
	}
	return &stage.Error{
		Kind: stage.Quota, Code: stage.CodeStageAtCapacity,
		Message: fmt.Sprintf("There are %d %s in %s; the limit is %d", d.Had, who, place, d.Limit),
	}
}
