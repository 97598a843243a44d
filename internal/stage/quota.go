package stage

// Quotas bound what an account may have in a region. Zero means no bound.
type Quotas struct {
	Stages     int
	PublicKeys int

	// Of people who are present, see package live. A participant who publishes
	// over two connections at a time is one publisher.
	PublishersPerStage  int
	SubscribersPerStage int
	Publishers          int // on all stages
	Subscriptions       int // on all stages: pairs of a publisher and who watches
}

// Demand is that one more was asked for of something that a quota may bound,
// whether or not it was granted.
type Demand struct {
	Quota   string // "stages", "public-keys", "publishers-per-stage", ...
	Account string
	Region  string
	Stage   ARN // with the quotas per stage
	Had     int // how many there were
	Limit   int // what is enforced; 0 is nothing
}

// Refused tells that the demand was over the limit that is enforced.
func (d Demand) Refused() bool { return d.Limit > 0 && d.Had >= d.Limit }

// checkQuota refuses one more resource of a type when the limit is reached.
func (s *Service) checkQuota(tx Tx, c Caller, typ string, limit int) error {
	if limit == 0 && s.demanded == nil {
		return nil
	}
	n, err := tx.CountDocuments(typ, c.Account, c.Region)
	if err != nil {
		return err
	}
	d := Demand{Quota: typ + "s", Account: c.Account, Region: c.Region, Had: n, Limit: limit}
	if s.demanded != nil {
		s.demanded(d)
	}
	if d.Refused() {
		return fail(Quota, "Account %s has %d resources of type %s in region %s, which is the limit", c.Account, n, typ, c.Region)
	}
	return nil
}
