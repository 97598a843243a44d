package stage

import "context"

// sendAway ends the presence of participants on a stage.
func (s *Service) sendAway(ctx context.Context, arn ARN, ids []string, reason string) error {
	ctx, cancel := toTheEnd(ctx)
	defer cancel()
	for _, id := range ids {
		if err := s.floor.Disconnect(ctx, arn, id, ReasonParticipantDisconnected, reason); err != nil {
			return err
		}
	}
	return nil
}

// detach takes an ingest configuration off its stage, which ends what goes
// through it.
func detach(tx Tx, d Document) error {
	i, err := ingestConfiguration(d)
	if err != nil {
		return err
	}
	i.Stage, i.State = ARN{}, IngestInactive
	return putIngest(tx, d, i.IngestDetail)
}

// detachSome detaches a batch of a stage's ingest configurations and says
// whether there may be more.
func detachSome(tx Tx, arn ARN) (more bool, err error) {
	docs, err := tx.Documents(DocumentQuery{
		Type: TypeIngestConfiguration, Account: arn.Account, Region: arn.Region, Link: arn, Limit: sweepBatch,
	})
	for _, d := range docs {
		if err := detach(tx, d); err != nil {
			return false, err
		}
	}
	return len(docs) == sweepBatch, err
}

// detachParticipant detaches the ingest configuration whose participant was
// named on a stage. Nobody is barred by that: without a stage the key opens
// nothing. ids are all its participants, nil if the one named has no ingest
// configuration.
func detachParticipant(tx Tx, arn ARN, id string) (ids []string, err error) {
	docs, err := tx.Documents(DocumentQuery{
		Type: TypeIngestConfiguration, Account: arn.Account, Region: arn.Region,
		Link: participantLink(arn.Account, arn.Region, id), Limit: 1,
	})
	if err != nil || len(docs) == 0 {
		return nil, err
	}
	i, err := ingestConfiguration(docs[0])
	switch {
	case err != nil:
	case i.Stage == arn:
		err = detach(tx, docs[0])
	case i.Stage != (ARN{}): // it is another stage's now, but may have been here
		err = requireKnown(tx, arn, id)
	}
	return i.participants(), err
}
