package desk

import (
	"context"
	"encoding/json"
	"reflect"
	"regexp"
	"strings"
)

type getDescriptionInput struct{}

func descriptionRoutes() []route {
	r := answer("GetDescription", "GET", "/openapi.json", "Read this description.", (*Desk).getDescription)
	r.open = true
	return []route{r}
}

// getDescription answers without a signature: there is nothing of anybody in it.
func (d *Desk) getDescription(context.Context, *call, *getDescriptionInput) (*map[string]any, error) {
	description := describe(d.table)
	return &description, nil
}

// Description is the OpenAPI 3.1 description of all routes, indented.
func Description() ([]byte, error) {
	return json.MarshalIndent(describe(table()), "", "  ")
}

// describe makes the description of a table.
func describe(routes []route) map[string]any {
	paths, named := map[string]schema{}, shapes{}
	for i := range routes {
		r := &routes[i]
		if paths[Root+r.path] == nil {
			paths[Root+r.path] = schema{}
		}
		paths[Root+r.path][strings.ToLower(r.method)] = r.describe(named)
	}
	named.of(errorType)
	return map[string]any{
		"openapi": "3.1.0",
		"info": schema{
			"title":       "Callboard's own API",
			"version":     "1",
			"description": "What the Amazon IVS Real-Time API cannot answer. Requests are signed with AWS Signature Version 4 for the service ivs, in headers or in the query.",
		},
		"paths":    paths,
		"security": []schema{{"signature": []string{}}},
		"components": schema{
			"schemas": named,
			"securitySchemes": schema{"signature": schema{
				"type": "apiKey", "in": "header", "name": "Authorization",
				"description":                  "AWS Signature Version 4, service ivs. The presigned form, with X-Amz-Signature and its companions in the query, is as good.",
				"x-amazon-apigateway-authtype": "awsSigv4",
			}},
		},
	}
}

func (r *route) describe(named shapes) schema {
	out := schema{"operationId": r.name, "summary": r.about, "responses": r.responses(named)}
	var params []schema
	for i := range r.input.params {
		params = append(params, r.input.params[i].describe())
	}
	if params != nil {
		out["parameters"] = params
	}
	if r.input.body != nil {
		out["requestBody"] = schema{"required": true, "content": schema{"application/json": schema{"schema": named.of(r.input.body.Type)}}}
	}
	if r.open {
		out["security"] = []schema{}
	} else {
		out["x-iam-action"] = r.action()
	}
	return out
}

func (p *param) describe() schema {
	out := schema{"name": p.name, "in": p.from, "description": p.doc, "schema": p.schema()}
	if !p.optional {
		out["required"] = true
	}
	if prefix, many := strings.CutSuffix(p.name, "*"); many { // each member of the object is a parameter
		out["name"], out["style"], out["explode"] = strings.TrimSuffix(prefix, "."), "form", true
		out["schema"] = schema{"type": "object", "propertyNames": schema{"pattern": "^" + regexp.QuoteMeta(prefix)},
			"additionalProperties": schema{"type": "string"}}
	}
	return out
}

// responses describes what may come back: the answer, and errors as the service's
// own API has them.
func (r *route) responses(named shapes) schema {
	out := schema{}
	switch {
	case r.media != nil:
		content := schema{}
		for media, what := range r.media {
			content[media] = schema{"schema": r.streamSchema(named, what)}
		}
		out["200"] = schema{"description": "A stream.", "content": content}
	case r.output == reflect.TypeFor[nothing]():
		out["204"] = schema{"description": "Done."}
	default:
		out["200"] = schema{"description": "The answer.", "content": schema{"application/json": schema{"schema": named.of(r.output)}}}
	}
	if !r.open {
		out["default"] = schema{"description": "What went wrong; its name is in the header x-amzn-ErrorType.",
			"content": schema{"application/json": schema{"schema": named.of(errorType)}}}
	}
	return out
}

func (r *route) streamSchema(named shapes, what string) schema {
	out := schema{"type": "string", "description": what}
	if r.messages != nil {
		out["x-messages"] = named.of(r.messages)
	}
	return out
}
