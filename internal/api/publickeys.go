package api

import (
	"context"

	"callboard/internal/stage"
)

type (
	importPublicKeyInput struct {
		Material string            `json:"publicKeyMaterial" check:"required,pem"`
		Name     string            `json:"name" check:"name"`
		Tags     map[string]string `json:"tags" check:"tags"`
	}
	importPublicKeyOutput struct {
		PublicKey publicKey `json:"publicKey"`
	}

	getPublicKeyInput struct {
		ARN stage.ARN `json:"arn" check:"required,arn=public-key" iam:"resource"`
	}
	getPublicKeyOutput struct {
		PublicKey publicKey `json:"publicKey"`
	}

	listPublicKeysInput struct {
		page
	}
	listPublicKeysOutput struct {
		PublicKeys []publicKeySummary `json:"publicKeys"`
		NextToken  string             `json:"nextToken,omitempty"`
	}

	deletePublicKeyInput struct {
		ARN stage.ARN `json:"arn" check:"required,arn=public-key" iam:"resource"`
	}
)

type (
	publicKeySummary struct {
		ARN  string            `json:"arn"`
		Name string            `json:"name"`
		Tags map[string]string `json:"tags"`
	}
	publicKey struct {
		publicKeySummary
		Material    string `json:"publicKeyMaterial"`
		Fingerprint string `json:"fingerprint"`
	}
)

func (a *API) importPublicKey(ctx context.Context, c stage.Caller, in *importPublicKeyInput) (*importPublicKeyOutput, error) {
	k, err := a.service.ImportPublicKey(ctx, c, in.Name, in.Material, in.Tags)
	if err != nil {
		return nil, err
	}
	return &importPublicKeyOutput{toPublicKey(k)}, nil
}

func (a *API) getPublicKey(ctx context.Context, c stage.Caller, in *getPublicKeyInput) (*getPublicKeyOutput, error) {
	k, err := a.service.PublicKey(ctx, c, in.ARN)
	if err != nil {
		return nil, err
	}
	return &getPublicKeyOutput{toPublicKey(k)}, nil
}

func (a *API) listPublicKeys(ctx context.Context, c stage.Caller, in *listPublicKeysInput) (*listPublicKeysOutput, error) {
	q := ask("ListPublicKeys", c)
	p, err := a.openPage(in.page, q)
	if err != nil {
		return nil, err
	}
	list, next, err := a.service.PublicKeys(ctx, c, p)
	if err != nil {
		return nil, err
	}
	return &listPublicKeysOutput{each(list, toPublicKeySummary), a.nextToken(next, q)}, nil
}

func (a *API) deletePublicKey(ctx context.Context, c stage.Caller, in *deletePublicKeyInput) (*nothing, error) {
	return &nothing{}, a.service.DeletePublicKey(ctx, c, in.ARN)
}

func toPublicKey(k stage.PublicKey) publicKey {
	return publicKey{toPublicKeySummary(k), k.Material, k.Fingerprint}
}

func toPublicKeySummary(k stage.PublicKey) publicKeySummary {
	return publicKeySummary{k.ARN.String(), k.Name, toTags(k.Tags)}
}
