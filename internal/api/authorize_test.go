package api

import (
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"callboard/internal/iam"
	"callboard/internal/stage"
)

// subject is what an operation is authorised against: the members of its input
// that name resources and, where these are none or it makes one, a type.
type subject struct {
	members []string
	over    string
}

// subjects is the table of the Service Authorization Reference for IVS, with our
// decisions where it leaves a choice.
var subjects = map[string]subject{
	"CreateStage":             {nil, "stage"},
	"GetStage":                {[]string{"arn"}, ""},
	"ListStages":              {nil, "stage"},
	"UpdateStage":             {[]string{"arn"}, ""},
	"DeleteStage":             {[]string{"arn"}, ""},
	"CreateParticipantToken":  {[]string{"stageArn"}, ""},
	"GetStageSession":         {[]string{"stageArn"}, ""},
	"ListStageSessions":       {[]string{"stageArn"}, ""},
	"GetParticipant":          {[]string{"stageArn"}, ""},
	"ListParticipants":        {[]string{"stageArn"}, ""},
	"ListParticipantEvents":   {[]string{"stageArn"}, ""},
	"DisconnectParticipant":   {[]string{"stageArn"}, ""},
	"ListParticipantReplicas": {[]string{"sourceStageArn"}, ""},

	"StartParticipantReplication": {[]string{"destinationStageArn", "sourceStageArn"}, ""},
	"StopParticipantReplication":  {[]string{"destinationStageArn", "sourceStageArn"}, ""},

	"CreateEncoderConfiguration": {nil, "encoder-configuration"},
	"GetEncoderConfiguration":    {[]string{"arn"}, ""},
	"ListEncoderConfigurations":  {nil, ""},
	"DeleteEncoderConfiguration": {[]string{"arn"}, ""},

	"CreateStorageConfiguration": {nil, "storage-configuration"},
	"GetStorageConfiguration":    {[]string{"arn"}, ""},
	"ListStorageConfigurations":  {nil, ""},
	"DeleteStorageConfiguration": {[]string{"arn"}, ""},

	"CreateIngestConfiguration": {nil, "ingest-configuration"},
	"GetIngestConfiguration":    {[]string{"arn"}, ""},
	"ListIngestConfigurations":  {nil, ""},
	"UpdateIngestConfiguration": {[]string{"arn"}, ""},
	"DeleteIngestConfiguration": {[]string{"arn"}, ""},

	"ImportPublicKey": {nil, "public-key"},
	"GetPublicKey":    {[]string{"arn"}, ""},
	"ListPublicKeys":  {nil, ""},
	"DeletePublicKey": {[]string{"arn"}, ""},

	"StartComposition": {[]string{
		"destinations/channel/channelArn", "destinations/channel/encoderConfigurationArn",
		"destinations/s3/encoderConfigurationArns", "destinations/s3/storageConfigurationArn", "stageArn",
	}, "composition"}, // the type is for its tags
	"GetComposition":   {[]string{"arn"}, ""},
	"StopComposition":  {[]string{"arn"}, ""},
	"ListCompositions": {[]string{"filterByEncoderConfigurationArn", "filterByStageArn"}, ""},

	"TagResource":         {[]string{"resourceArn"}, ""},
	"UntagResource":       {[]string{"resourceArn"}, ""},
	"ListTagsForResource": {[]string{"resourceArn"}, ""},
}

func TestOperationsAreAuthorizedAgainstTheResourcesOfTheReference(t *testing.T) {
	t.Parallel()
	if len(subjects) != 39 {
		t.Errorf("the table has %d operations, want 39", len(subjects))
	}
	for _, op := range table() {
		want, ok := subjects[op.name]
		if !ok {
			t.Errorf("%s is not in the table", op.name)
		}
		got := namers("", compileInput(op.input))
		slices.Sort(got)
		if op.about != want.over || !slices.Equal(got, want.members) {
			t.Errorf("%s is about %q and names resources in %q, want %q and %q", op.name, op.about, got, want.over, want.members)
		}
		if want.members != nil {
			continue
		}
		all := "*"
		if want.over != "" {
			all = "arn:aws:ivs:eu-west-1:123456789012:" + want.over + "/*"
		}
		if got := iam.ResourceOf("ivs:"+op.name, "eu-west-1", "123456789012"); got != all {
			t.Errorf("whoever tries out a policy takes %s to be about %s, want %s", op.name, got, all)
		}
	}
}

func TestWhoTriesOutAPolicyIsToldWhatACreateWithTagsTags(t *testing.T) {
	t.Parallel()
	for _, op := range table() {
		want := ""
		tags := slices.ContainsFunc(compileInput(op.input).fields, func(f field) bool { return f.name == "tags" })
		if op.about != "" && tags {
			want = "arn:aws:ivs:eu-west-1:123456789012:" + op.about + "/*"
		}
		if got := iam.TaggedBy("IVS:"+op.name, "eu-west-1", "123456789012"); got != want {
			t.Errorf("%s with tags tags %q, want %q", op.name, got, want)
		}
	}
}

// namers are the members of a shape that name resources.
func namers(at string, s *shape) (members []string) {
	switch {
	case !s.named:
		return nil
	case s.item != nil:
		return namers(at, s.item)
	case s.fields == nil:
		return []string{strings.TrimPrefix(at, "/")}
	}
	for _, f := range s.fields {
		members = append(members, namers(at+"/"+f.name, f.shape)...)
	}
	return members
}

// may gives the holder of testKey these policies and takes everything else.
func (w *world) may(documents ...string) {
	w.t.Helper()
	w.principal = Principal{
		Account: w.caller.Account, ARN: "arn:aws:iam::123456789012:user/ann", UserName: "ann", UserID: "ann", Type: "User",
	}
	for i, d := range documents {
		p, err := iam.Parse(fmt.Sprintf("policy%d", i+1), []byte(d))
		w.check(err)
		w.principal.Policies = append(w.principal.Policies, p)
	}
}

// statement is a policy of one statement; a condition may be "".
func statement(effect, action, resource, condition string) string {
	if condition != "" {
		condition = `,"Condition":` + condition
	}
	return fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":%q,"Action":%q,"Resource":%q%s}]}`, effect, action, resource, condition)
}

// wantDenied wants AccessDenied with this end of its sentence.
func (w *world) wantDenied(got answer, action, resource, reason string) {
	w.t.Helper()
	want := "User: " + w.principal.ARN + " is not authorized to perform: " + action + " on resource: " + resource + " " + reason
	if got.status != http.StatusForbidden || got.code() != accessDenied || got.message() != want {
		w.t.Errorf("got %d %s: %s\nwant %s", got.status, got.code(), got.message(), want)
	}
}

func (w *world) wantStatus(got answer, want int) {
	w.t.Helper()
	if got.status != want {
		w.t.Errorf("got %d %s: %s, want %d", got.status, got.code(), got.message(), want)
	}
}

func TestADenialSaysWhoWhatAndWhy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	arn := w.newStage().String()
	get := func() answer { return w.call("POST", "/GetStage", `{"arn":"`+arn+`"}`) }

	w.may()
	w.wantDenied(get(), "ivs:GetStage", arn, "because no identity-based policy allows the ivs:GetStage action")
	w.may(statement("Allow", "ivs:Get*", "arn:aws:ivs:*:*:stage/*", ""))
	w.wantStatus(get(), 200)
	w.may(statement("Allow", "ivs:*", "*", ""), statement("Deny", "ivs:GetStage", arn, ""))
	w.wantDenied(get(), "ivs:GetStage", arn, "with an explicit deny in an identity-based policy")
	w.wantStatus(w.call("POST", "/ListStages", `{}`), 200)

	other := "arn:aws:ivs:eu-west-1:210987654321:stage/AbCdEfGhIjKl"
	const beyond = "because no resource-based policy allows the ivs:GetStage action"
	w.may(statement("Allow", "ivs:*", "*", ""))
	w.wantDenied(w.call("POST", "/GetStage", `{"arn":"`+other+`"}`), "ivs:GetStage", other, beyond)
	w.principal.Root = true
	w.wantDenied(w.call("POST", "/GetStage", `{"arn":"`+other+`"}`), "ivs:GetStage", other, beyond)
}

func TestAResourceOfAnotherAccountThatARequestRefersToIsDeniedByTheNameOfTheAction(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.may(statement("Allow", "ivs:*", "*", ""))
	const elsewhere = "arn:aws:ivs:eu-west-1:210987654321:"
	for _, c := range []struct{ operation, body, resource string }{
		{"CreateIngestConfiguration", `{"ingestProtocol":"RTMPS","stageArn":"%s"}`, elsewhere + "stage/AbCdEfGhIjKl"},
		{"ListIngestConfigurations", `{"filterByStageArn":"%s"}`, elsewhere + "stage/AbCdEfGhIjKl"},
		{"CreateStage", `{"autoParticipantRecordingConfiguration":{"storageConfigurationArn":"%s"}}`, elsewhere + "storage-configuration/AbCdEfGhIjKl"},
	} {
		got := w.call("POST", "/"+c.operation, fmt.Sprintf(c.body, c.resource))
		w.wantDenied(got, "ivs:"+c.operation, c.resource, "because no resource-based policy allows the ivs:"+c.operation+" action")
	}
}

func TestWhoIsNobodyMayDoNothing(t *testing.T) {
	t.Parallel()
	m := readModel(t)
	w := newWorld(t)
	for _, p := range []Principal{{}, {Account: w.caller.Account, ARN: "arn:aws:iam::123456789012:user/ann"}} {
		w.principal = p
		for _, op := range table() {
			input := m.Operations[op.name].Input.Shape
			got := w.callWith(op, m.Shapes[input], m.valid(input).(map[string]any))
			if got.code() != accessDenied || !strings.Contains(got.message(), "ivs:"+op.name+" on resource: ") {
				t.Errorf("%s by %q: %d %s", op.name, p.ARN, got.status, got.body)
			}
		}
	}
}

func TestAuthorizationComesAfterTheConstraintsAndBeforeTheLookup(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.may(statement("Allow", "ivs:ListStages", "*", ""))
	w.wantStatus(w.call("POST", "/GetStage", `{"arn":"nothing"}`), 400)
	w.wantStatus(w.call("POST", "/GetStage", `{"arn":"`+testStage+`"}`), 403)
	w.wantStatus(w.call("POST", "/GetStage", `{"arn":"`+w.nowhere()+`"}`), 403)
	w.may(statement("Allow", "ivs:GetStage", "*", ""))
	w.wantStatus(w.call("POST", "/GetStage", `{"arn":"`+testStage+`"}`), 404)
	w.wantStatus(w.call("POST", "/GetStage", `{"arn":"`+w.nowhere()+`"}`), 404)
}

// nowhere is a stage of another region.
func (w *world) nowhere() string {
	return stage.ARN{Region: "us-east-1", Account: w.caller.Account, Type: "stage", ID: "AbCdEfGhIjKl"}.String()
}

func TestACreateIsAboutAllResourcesOfItsType(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	all := "arn:aws:ivs:eu-west-1:123456789012:stage/*"
	w.may(statement("Allow", "ivs:*", testStage, ""))
	w.wantDenied(w.call("POST", "/CreateStage", `{}`), "ivs:CreateStage", all, "because no identity-based policy allows the ivs:CreateStage action")
	w.wantDenied(w.call("POST", "/ListStages", `{}`), "ivs:ListStages", all, "because no identity-based policy allows the ivs:ListStages action")
	w.wantDenied(w.call("POST", "/ListPublicKeys", `{}`), "ivs:ListPublicKeys", "*", "because no identity-based policy allows the ivs:ListPublicKeys action")
	w.may(statement("Allow", "ivs:*", all, ""))
	w.wantStatus(w.call("POST", "/CreateStage", `{}`), 200)
	w.wantStatus(w.call("POST", "/ListStages", `{}`), 200)
	w.wantStatus(w.call("POST", "/ListPublicKeys", `{}`), 403)
}

func TestACreateWithTagsNeedsTagResourceAsWell(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	create := func(tags string) answer { return w.call("POST", "/CreateStage", `{"tags":`+tags+`}`) }
	w.may(statement("Allow", "ivs:CreateStage", "*", ""))
	w.wantStatus(create(`{}`), 200)
	w.wantDenied(create(`{"team":"radio"}`), "ivs:TagResource", "arn:aws:ivs:eu-west-1:123456789012:stage/*",
		"because no identity-based policy allows the ivs:TagResource action")
	w.may(statement("Allow", "ivs:CreateStage", "*", ""), statement("Allow", "ivs:TagResource", "*", `{"StringEquals":{"aws:RequestTag/team":"radio"}}`))
	w.wantStatus(create(`{"team":"radio"}`), 200)
	w.wantStatus(create(`{"Team":"radio"}`), 200)
	w.wantStatus(create(`{"team":"Radio"}`), 403)
	w.wantStatus(create(`{"team":"tv"}`), 403)
}

func TestTagsDecideWhatMayBeDone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root := w.principal
	var radio, tv, bare string
	for arn, tags := range map[*string]string{&radio: `{"team":"radio"}`, &tv: `{"team":"tv","Team":"radio"}`, &bare: `{}`} {
		var out struct{ Stage struct{ ARN string } }
		w.post("CreateStage", `{"tags":`+tags+`}`, &out)
		*arn = out.Stage.ARN
	}
	token := func(arn string) answer { return w.call("POST", "/CreateParticipantToken", `{"stageArn":"`+arn+`"}`) }
	w.may(statement("Allow", "ivs:CreateParticipantToken", "*", `{"StringEquals":{"aws:ResourceTag/team":"radio"}}`))
	w.wantStatus(token(radio), 200)
	w.wantStatus(token(tv), 403)
	w.wantStatus(token(bare), 403)
	w.wantStatus(token(testStage), 403)
	w.wantStatus(w.call("POST", "/GetStage", `{"arn":"`+radio+`"}`), 403)

	tagging := func(body string) answer { return w.call("POST", "/tags/"+escaped(radio), body) }
	w.may(statement("Allow", "ivs:*Tag*", "*", `{"ForAllValues:StringEquals":{"aws:TagKeys":["team","place"]},"Null":{"aws:TagKeys":"false"}}`))
	w.wantStatus(tagging(`{"tags":{"place":"Ulm","team":"radio"}}`), 200)
	w.wantStatus(tagging(`{"tags":{"place":"Ulm","cost":"none"}}`), 403)
	w.wantStatus(w.call("DELETE", "/tags/"+escaped(radio)+"?tagKeys=place&tagKeys=cost", ""), 403)
	w.wantStatus(w.call("DELETE", "/tags/"+escaped(radio)+"?tagKeys=place", ""), 200)
	w.wantStatus(w.call("GET", "/tags/"+escaped(radio), ""), 403) // it has no tag keys

	w.principal = root
	w.wantStatus(w.call("GET", "/tags/"+escaped(radio), ""), 200)
}

func escaped(arn string) string { return strings.NewReplacer(":", "%3A", "/", "%2F").Replace(arn) }

func TestTagsOfAResourceAreReadOnlyIfAPolicyAsksForThem(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.check(w.facts.Close())
	w.may(statement("Allow", "ivs:ListStages", "*", ""), statement("Allow", "ivs:DeleteStage", "*", `{"StringEquals":{"aws:ResourceTag/team":"radio"}}`))
	w.wantStatus(w.call("POST", "/GetStage", `{"arn":"`+testStage+`"}`), 403)
	w.wantStatus(w.call("POST", "/DeleteStage", `{"arn":"`+testStage+`"}`), 500) // rather than a denial that may be wrong
}

func TestConditionsSeeTheRequestAsItIs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.options()
	w.API = New(o)
	for condition, want := range map[string]int{
		`{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}}`:                                           200, // of httptest
		`{"NotIpAddress":{"aws:SourceIp":"192.0.2.0/24"}}`:                                        403,
		`{"DateGreaterThan":{"aws:CurrentTime":"2026-01-02T03:04:00Z"}}`:                          200,
		`{"DateLessThan":{"aws:CurrentTime":"2026-01-02T03:04:00Z"}}`:                             403,
		`{"NumericGreaterThan":{"aws:EpochTime":"1767323044"}}`:                                   200,
		`{"NumericGreaterThan":{"aws:EpochTime":"1767323046"}}`:                                   403,
		`{"Bool":{"aws:SecureTransport":"true"}}`:                                                 200,
		`{"StringLike":{"aws:UserAgent":"tester/*"}}`:                                             200,
		`{"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::123456789012:user/ann"}}`:                 200,
		`{"StringEquals":{"aws:PrincipalAccount":"123456789012","aws:username":"ann"}}`:           200,
		`{"StringEquals":{"aws:PrincipalType":"User","aws:userid":"ann"}}`:                        200,
		`{"StringEquals":{"aws:username":"bob"}}`:                                                 403,
		`{"StringEquals":{"aws:RequestedRegion":["eu-west-1","eu-central-1"]}}`:                   200,
		`{"StringEquals":{"aws:RequestedRegion":"us-east-1"}}`:                                    403,
		`{"Null":{"aws:TokenIssueTime":"true"}}`:                                                  200,
		`{"Null":{"aws:RequestTag/team":"true","aws:ResourceTag/a":"true","aws:TagKeys":"true"}}`: 200,
		`{"StringEquals":{"ivs:Nonsense":"x"}}`:                                                   403,
	} {
		w.may(statement("Allow", "ivs:ListStages", "*", condition))
		if got := w.call("POST", "/ListStages", `{}`, "User-Agent", "tester/1.0"); got.status != want {
			t.Errorf("%s: %d %s, want %d", condition, got.status, got.message(), want)
		}
	}

	w.may(statement("Allow", "ivs:ListStages", "*", `{"DateGreaterThan":{"aws:TokenIssueTime":"2026-01-02T03:00:00Z"},"Null":{"aws:username":"true"}}`))
	w.wantStatus(w.call("POST", "/ListStages", `{}`), 403)
	w.principal.UserName, w.principal.Issued = "", w.clock().Add(-time.Minute)
	w.wantStatus(w.call("POST", "/ListStages", `{}`), 200)

	o.Plain = true
	w.API = New(o)
	w.may(statement("Allow", "ivs:ListStages", "*", `{"Bool":{"aws:SecureTransport":"true"}}`))
	w.wantStatus(w.call("POST", "/ListStages", `{}`), 403)
}

func TestAccountsAndRegionsSeeNothingOfEachOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	arn := w.newStage().String()
	get := `{"arn":"` + arn + `"}`
	w.wantStatus(w.callAs(otherKey, testRegion, "POST", "/GetStage", get), 403)
	w.wantStatus(w.callAs(otherKey, testRegion, "GET", "/tags/"+escaped(arn), ""), 403)
	w.wantStatus(w.callAs(testKey, "us-east-1", "POST", "/GetStage", get), 404)
	for _, who := range []answer{w.callAs(otherKey, testRegion, "POST", "/ListStages", `{}`), w.callAs(testKey, "us-east-1", "POST", "/ListStages", `{}`)} {
		if who.body != `{"stages":[]}` {
			t.Errorf("a stranger sees %s", who.body)
		}
	}
	w.may(statement("Allow", "ivs:*", "arn:aws:ivs:eu-west-1:*:stage/*", ""))
	w.wantStatus(w.callAs(testKey, "us-east-1", "POST", "/ListStages", `{}`), 403)
	w.wantStatus(w.call("POST", "/ListStages", `{}`), 200)
}

func TestEveryResourceThatIsNamedMustBeAllowed(t *testing.T) {
	t.Parallel()
	type deep struct {
		ARNs []string   `json:"arns" iam:"resource"`
		ARN  *stage.ARN `json:"arn" iam:"resource"`
	}
	type input struct {
		Stage stage.ARN `json:"stage" iam:"resource"`
		Deep  []*deep   `json:"deep"`
		Also  *string   `json:"also" iam:"resource"`
		Other string    `json:"other"`
	}
	w := newWorld(t)
	arn := func(id string) stage.ARN {
		return stage.ARN{Region: testRegion, Account: w.caller.Account, Type: "stage", ID: id}
	}
	in := input{
		Stage: arn("a"), Deep: []*deep{nil, {}, {ARNs: []string{arn("b").String(), ""}, ARN: new(arn("c"))}},
		Also: new(arn("d").String()), Other: arn("e").String(),
	}
	shape := compileInput(reflect.TypeFor[input]())
	var allowed []string
	for _, id := range []string{"a", "b", "c", "d", "none"} {
		w.may()
		for _, a := range allowed {
			w.may(append(documents(w.principal.Policies), statement("Allow", "ivs:Op", a, ""))...)
		}
		q := inquiry{
			API: w.API, ctx: t.Context(), caller: w.caller, input: shape, value: reflect.ValueOf(&in).Elem(),
			request: &request{op: &operation{name: "Op"}, by: w.principal},
		}
		err := q.authorize()
		if id == "none" && err != nil || id != "none" && (err == nil || !strings.Contains(err.Error(), "stage/"+id+" because")) {
			t.Errorf("with %v allowed: %v, want %s to be missed", allowed, err, id)
		}
		allowed = append(allowed, arn(id).String())
	}
}

func documents(policies []*iam.Policy) (all []string) {
	for _, p := range policies {
		all = append(all, string(p.Document()))
	}
	return all
}

func BenchmarkAuthorize(b *testing.B) {
	w := newWorld(b)
	shape := compileInput(reflect.TypeFor[getStageInput]())
	in := getStageInput{ARN: stage.ARN{Region: testRegion, Account: w.caller.Account, Type: "stage", ID: "AbCdEfGhIjKl"}}
	w.may(statement("Allow", "ivs:Get*", "arn:aws:ivs:*:123456789012:stage/*", ""))
	user := w.principal
	w.principal.Root = true
	for name, by := range map[string]Principal{"root": w.principal, "policy": user} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			r := &request{op: &operation{name: "GetStage"}, by: by}
			for b.Loop() {
				q := inquiry{API: w.API, ctx: b.Context(), caller: w.caller, input: shape, value: reflect.ValueOf(&in).Elem(), request: r}
				if err := q.authorize(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
