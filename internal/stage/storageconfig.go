package stage

import "context"

// StorageConfiguration says where recordings go. It never changes.
type StorageConfiguration struct {
	ARN    ARN
	Name   string
	Tags   map[string]string
	Bucket string
}

// storageBody is what a storage configuration's document holds beside its name and tags.
type storageBody struct{ Bucket string }

// NewStorageConfiguration is what CreateStorageConfiguration may say.
type NewStorageConfiguration struct {
	Name   string
	Tags   map[string]string
	Bucket string
}

// CreateStorageConfiguration makes a storage configuration, after the bucket
// was found to be there and writable.
func (s *Service) CreateStorageConfiguration(ctx context.Context, c Caller, n NewStorageConfiguration) (StorageConfiguration, error) {
	if err := s.mayStore(ctx, c, n); err != nil {
		return StorageConfiguration{}, err
	}
	if s.probe != nil { // slow, so before the transaction
		if err := s.probe(ctx, n.Bucket); err != nil {
			return StorageConfiguration{}, err
		}
	}
	d := Document{ARN: s.newARN(c, TypeStorageConfiguration), Name: n.Name, Tags: n.Tags}
	if err := s.insert(ctx, c, &d, storageBody{n.Bucket}, s.quotas.StorageConfigurations, nil); err != nil {
		return StorageConfiguration{}, err
	}
	return storageConfiguration(d)
}

// mayStore refuses early what would be refused anyhow: nothing is written to
// the bucket then.
func (s *Service) mayStore(ctx context.Context, c Caller, n NewStorageConfiguration) error {
	if err := CheckTags(n.Tags); err != nil {
		return err
	}
	return s.store.View(ctx, func(tx Tx) error {
		return s.checkQuotaEarly(tx, c, TypeStorageConfiguration, s.quotas.StorageConfigurations)
	})
}

func storageConfiguration(d Document) (StorageConfiguration, error) {
	body, err := unbody[storageBody](d)
	return StorageConfiguration{ARN: d.ARN, Name: d.Name, Tags: d.Tags, Bucket: body.Bucket}, err
}

// StorageConfiguration reads one storage configuration.
func (s *Service) StorageConfiguration(ctx context.Context, c Caller, arn ARN) (StorageConfiguration, error) {
	return readOne(ctx, s, c, arn, storageConfiguration)
}

// StorageConfigurations lists the caller's storage configurations in order of creation.
func (s *Service) StorageConfigurations(ctx context.Context, c Caller, p Page) (list []StorageConfiguration, next int64, err error) {
	return readPage(ctx, s, c, TypeStorageConfiguration, ARN{}, p, storageConfiguration)
}

// DeleteStorageConfiguration removes a storage configuration that no stage
// records to. The bucket is left as it is.
func (s *Service) DeleteStorageConfiguration(ctx context.Context, c Caller, arn ARN) error {
	return s.remove(ctx, c, arn, func(tx Tx, d Document) error {
		users, err := tx.Documents(DocumentQuery{Type: TypeStage, Account: arn.Account, Region: arn.Region, Link: arn, Limit: 1})
		if err == nil && len(users) > 0 {
			// Which stage is not said: whoever may delete this need not know that.
			err = fail(Conflict, "Storage configuration %s is used by a stage", arn)
		}
		return err
	})
}

// useStorage makes a stage's document refer to the storage configuration that
// it records to, if any, which must exist; unknown is how the operation at
// hand must call it when it does not.
func useStorage(tx Tx, c Caller, d *Document, text string, unknown Kind) error {
	if d.Links = nil; text == "" {
		return nil
	}
	arn, err := ParseARN(text)
	if err != nil || arn.Type != TypeStorageConfiguration {
		return fail(Invalid, "%q is not the ARN of a storage configuration", text)
	}
	d.Links = []ARN{arn}
	_, err = document(tx, c, arn)
	return asKind(err, NotFound, unknown)
}
