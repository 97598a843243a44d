package stage

import (
	"context"
	"errors"
	"maps"
	"strings"
	"unicode/utf8"
)

// maxTags is how many tags a resource may carry
// (https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html).
const maxTags = 50

// CheckTags says what is wrong with the tags that a resource is to have: how
// many there are, the length of a key or value, a reserved key.
func CheckTags(tags map[string]string) error {
	if len(tags) > maxTags {
		return fail(Invalid, "A resource has at most %d tags; this would make it %d", maxTags, len(tags))
	}
	for key, value := range tags {
		if n := utf8.RuneCountInString(key); n < 1 || n > 128 {
			return fail(Invalid, "A tag key has 1 to 128 characters, not %d", n)
		}
		if strings.HasPrefix(strings.ToLower(key), "aws:") {
			return fail(Invalid, "Tag keys that begin with aws: are reserved: %q", key)
		}
		if n := utf8.RuneCountInString(value); n > 256 {
			return fail(Invalid, "A tag value has at most 256 characters, not %d", n)
		}
	}
	return nil
}

// taggable says whether resources of this type carry tags.
func taggable(typ string) bool {
	switch typ {
	case TypeStage, TypePublicKey, TypeComposition, TypeEncoderConfiguration, TypeStorageConfiguration, TypeIngestConfiguration:
		return true
	}
	return false
}

func taggedDocument(tx Tx, c Caller, arn ARN) (Document, error) {
	if !taggable(arn.Type) {
		return Document{}, fail(Invalid, "Resources of type %s have no tags", arn.Type)
	}
	return document(tx, c, arn)
}

// Tags reads the tags of a resource.
func (s *Service) Tags(ctx context.Context, c Caller, arn ARN) (tags map[string]string, err error) {
	err = s.store.View(ctx, func(tx Tx) error {
		d, err := taggedDocument(tx, c, arn)
		tags = d.Tags
		return err
	})
	return tags, err
}

// ResourceTags gives the tags that a policy may speak of: those of a resource of the
// caller's account in any region, none if there is no such resource.
func (s *Service) ResourceTags(ctx context.Context, c Caller, arn ARN) (tags map[string]string, err error) {
	if err := c.reach(arn); err != nil {
		return nil, err
	}
	err = s.store.View(ctx, func(tx Tx) error {
		d, err := tx.Document(arn)
		if errors.Is(err, ErrNoRow) {
			return nil
		}
		tags = d.Tags
		return err
	})
	return tags, err
}

// Tag adds tags to a resource, or overwrites them.
func (s *Service) Tag(ctx context.Context, c Caller, arn ARN, tags map[string]string) error {
	if err := CheckTags(tags); err != nil {
		return err
	}
	return s.store.Update(ctx, func(tx Tx) error {
		d, err := taggedDocument(tx, c, arn)
		if err != nil {
			return err
		}
		merged := make(map[string]string, len(d.Tags)+len(tags))
		maps.Copy(merged, d.Tags)
		maps.Copy(merged, tags)
		if err := CheckTags(merged); err != nil {
			return err
		}
		d.Tags = merged
		return tx.PutDocument(&d)
	})
}

// Untag removes tags; keys that are not there are ignored.
func (s *Service) Untag(ctx context.Context, c Caller, arn ARN, keys []string) error {
	if len(keys) == 0 {
		return fail(Invalid, "At least one tag key is needed")
	}
	return s.store.Update(ctx, func(tx Tx) error {
		d, err := taggedDocument(tx, c, arn)
		if err != nil {
			return err
		}
		for _, key := range keys {
			delete(d.Tags, key)
		}
		return tx.PutDocument(&d)
	})
}
