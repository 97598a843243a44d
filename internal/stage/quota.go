package stage

import (
	"cmp"
	"time"
)

// Quotas bound what an account may have in a region. Zero means no bound.
type Quotas struct {
	Stages                int
	PublicKeys            int
	EncoderConfigurations int
	StorageConfigurations int
	IngestConfigurations  int

	// Of people who are present, see package live. A participant who publishes
	// over two connections at a time is one publisher.
	PublishersPerStage  int
	SubscribersPerStage int
	Publishers          int // on all stages
	Subscriptions       int // on all stages: pairs of a publisher and who watches

	// Of what one participant sends or receives.
	PublishBitrate  int           // bits per second of all layers and audio together
	PublishLines    int           // of the short side of the video; the long side may have 16/9 of that
	DownloadBitrate int           // bits per second of all that is received
	BFrames         int           // 1: the first one is too many
	MediaDuration   time.Duration // of a publication or a subscription
}

// Demand is that one more was asked for of something that a quota may bound,
// whether or not it was granted.
type Demand struct {
	Quota   string // "stages", "public-keys", "publishers-per-stage", ...
	Account string
	Region  string
	Stage   ARN // with the quotas per stage, and of what somebody sends or receives
	Had     int // how many there were; resources beyond Limit and 1,000 are not counted
	Limit   int // what is enforced; 0 is nothing

	Participant string // whose media were measured
	Measured    bool   // Had is a measure, which may be as much as the limit; nothing is added to it
}

// Refused tells that the demand was over the limit that is enforced.
func (d Demand) Refused() bool { return d.Over(int64(d.Limit)) }

// Over tells whether the demand is over a limit; nothing is over 0.
func (d Demand) Over(limit int64) bool {
	had := int64(d.Had)
	return limit > 0 && (had > limit || had == limit && !d.Measured)
}

// manyResources is how far resources are counted when nothing is enforced. No
// quota of AWS goes further, and counting must not take longer the more there are.
const manyResources = 1000

// checkQuota refuses one more resource of a type when the limit is reached.
func (s *Service) checkQuota(tx Tx, c Caller, typ string, limit int) error {
	d, err := s.demand(tx, c, typ, limit)
	if err != nil {
		return err
	}
	if s.demanded != nil {
		s.demanded(d)
	}
	return d.refusal(typ)
}

// checkQuotaEarly is checkQuota for what will be checked again: only a refusal is told.
func (s *Service) checkQuotaEarly(tx Tx, c Caller, typ string, limit int) error {
	d, err := s.demand(tx, c, typ, limit)
	if err == nil && d.Refused() && s.demanded != nil {
		s.demanded(d)
	}
	return cmp.Or(err, d.refusal(typ))
}

func (s *Service) demand(tx Tx, c Caller, typ string, limit int) (Demand, error) {
	d := Demand{Quota: typ + "s", Account: c.Account, Region: c.Region, Limit: limit}
	var err error
	if limit > 0 || s.demanded != nil {
		d.Had, err = tx.CountDocuments(typ, c.Account, c.Region, max(limit, manyResources))
	}
	return d, err
}

func (d Demand) refusal(typ string) error {
	if !d.Refused() {
		return nil
	}
	return fail(Quota, "Account %s has %d resources of type %s in region %s; the limit is %d", d.Account, d.Had, typ, d.Region, d.Limit)
}
