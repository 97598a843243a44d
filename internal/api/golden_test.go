package api

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"callboard/internal/stage"
)

var update = flag.Bool("update", false, "rewrite the files in testdata/golden")

// TestGoldenPairs tells one story, operation by operation, and compares each
// request and response with its file in testdata/golden/<operation>. What is
// random is replaced by a name for it.
func TestGoldenPairs(t *testing.T) {
	t.Parallel()
	g := &golden{world: newWorld(t), seen: map[string]bool{}, told: map[string]bool{}, count: map[string]int{}}
	g.tellStages()
	g.tellParticipants()
	g.tellPublicKeys()
	g.tellEncoders()
	g.tellStorage()
	g.tellIngest()
	g.tellCompositions()
	g.tellReplicas()
	g.tellTags()
	g.tellTheEnd()
	for _, op := range table() {
		if !g.told[op.name] {
			t.Errorf("%s has no golden pair", op.name)
		}
	}
	g.findStrays()
}

type golden struct {
	*world
	seen  map[string]bool // files
	told  map[string]bool // operations
	names []string        // what is random, and its name, by turns
	count map[string]int
}

func (g *golden) tellStages() {
	g.tell("CreateStage", "minimal", `{}`)
	g.tell("CreateStage", "everything", `{"name":"town-hall","tags":{"team":"a & b","cost":""},`+
		`"autoParticipantRecordingConfiguration":{"storageConfigurationArn":"","mediaTypes":["AUDIO_ONLY"]},`+
		`"participantTokenConfigurations":[{},{"duration":1,"userId":"ann <é>","attributes":{"k":"v"},"capabilities":["SUBSCRIBE"]},{"capabilities":[]}]}`)
	g.tell("CreateStage", "unknown storage configuration", `{"autoParticipantRecordingConfiguration":{"storageConfigurationArn":`+
		`"arn:aws:ivs:eu-west-1:123456789012:storage-configuration/AbCdEfGhIjKl"}}`)
	g.tell("CreateStage", "bad token", `{"participantTokenConfigurations":[{"duration":0}]}`)
	g.tell("CreateStage", "attributes too large", `{"participantTokenConfigurations":[{"attributes":{"k":"`+strings.Repeat("v", 1024)+`"}}]}`)
	g.tell("CreateStage", "reserved tag", `{"tags":{"aws:team":"a"}}`)
	g.tell("GetStage", "unknown", `{"arn":"`+testStage+`"}`)
	g.tell("GetStage", "another region", `{"arn":"arn:aws:ivs:us-east-1:123456789012:stage/AbCdEfGhIjKl"}`)
	g.tell("GetStage", "another account", `{"arn":"arn:aws:ivs:eu-west-1:210987654321:stage/AbCdEfGhIjKl"}`)
	g.tell("GetStage", "no arn", `{}`)
	g.tell("ListStages", "first page", `{"maxResults":1}`)
	g.tell("ListStages", "last page", `{"maxResults":1,"nextToken":"{next1}"}`)
	g.tell("ListStages", "bad token", `{"nextToken":"AAAA"}`)
	g.tell("UpdateStage", "name", `{"arn":"{stage1}","name":"renamed"}`)
	g.tell("UpdateStage", "recording", `{"arn":"{stage1}","autoParticipantRecordingConfiguration":`+
		`{"storageConfigurationArn":"","recordingReconnectWindowSeconds":30,"hlsConfiguration":{"targetSegmentDurationSeconds":4}}}`)
	g.tell("UpdateStage", "nothing", `{"arn":"{stage1}"}`)
	g.tell("UpdateStage", "unknown", `{"arn":"`+testStage+`","name":"x"}`)
	g.tell("CreateParticipantToken", "defaults", `{"stageArn":"{stage1}"}`)
	g.tell("CreateParticipantToken", "everything", `{"stageArn":"{stage1}","duration":20160,"userId":"bob",`+
		`"attributes":{"a":"b"},"capabilities":["PUBLISH","PUBLISH"]}`)
	g.tell("CreateParticipantToken", "unknown stage", `{"stageArn":"`+testStage+`"}`)
	g.tell("CreateParticipantToken", "unknown capability", `{"stageArn":"{stage1}","capabilities":["DANCE"]}`)
}

func (g *golden) tellParticipants() {
	arn, err := stage.ParseARN(g.actual("{stage1}"))
	g.check(err)
	ann := g.join(arn, "ann")
	g.names = append(g.names, ann.ParticipantID, "{ann}")
	g.name("session", ann.SessionID)
	g.pass(time.Second)
	bob := g.join(arn, "bob <é>")
	g.names = append(g.names, bob.ParticipantID, "{bob}")
	g.pass(440 * time.Millisecond)
	g.record(ann, stage.Fact{Name: stage.PublishStarted, Protocol: stage.ProtocolWHIP})
	g.record(bob, stage.Fact{Name: stage.SubscribeStarted, Remote: ann.ParticipantID},
		stage.Fact{Name: stage.PublishError, Error: stage.InsufficientCapabilities})
	g.pass(time.Minute)
	g.record(bob, stage.Fact{Name: stage.SubscribeStopped, Remote: ann.ParticipantID}, stage.Fact{Name: stage.Left})

	session := `"stageArn":"{stage1}","sessionId":"` + ann.SessionID + `"`
	g.tell("GetStage", "live", `{"arn":"{stage1}"}`)
	g.tell("GetStageSession", "live", `{`+session+`}`)
	g.tell("GetStageSession", "unknown", `{"stageArn":"{stage1}","sessionId":"st-1CVugbu2cf2n8"}`)
	g.tell("GetStageSession", "short id", `{"stageArn":"{stage1}","sessionId":"st-"}`)
	g.tell("ListParticipants", "all", `{`+session+`}`)
	g.tell("ListParticipants", "first page", `{`+session+`,"maxResults":1}`)
	g.tell("ListParticipants", "last page", `{`+session+`,"maxResults":100,"nextToken":"{next2}"}`)
	g.tell("ListParticipants", "token of another question", `{`+session+`,"filterByPublished":true,"nextToken":"{next2}"}`)
	g.tell("ListParticipants", "published", `{`+session+`,"filterByPublished":true}`)
	g.tell("ListParticipants", "never published", `{`+session+`,"filterByPublished":false}`)
	g.tell("ListParticipants", "disconnected", `{`+session+`,"filterByState":"DISCONNECTED"}`)
	g.tell("ListParticipants", "user id", `{`+session+`,"filterByUserId":"ann"}`)
	g.tell("ListParticipants", "no user id", `{`+session+`,"filterByUserId":""}`)
	g.tell("ListParticipants", "being recorded", `{`+session+`,"filterByRecordingState":"ACTIVE"}`)
	g.tell("ListParticipants", "not recorded", `{`+session+`,"filterByRecordingState":"DISABLED"}`)
	g.tell("ListParticipants", "two filters", `{`+session+`,"filterByPublished":false,"filterByUserId":""}`)
	g.tell("ListParticipants", "null is no filter", `{`+session+`,"filterByPublished":null,"filterByUserId":"ann"}`)
	g.tell("ListParticipants", "unknown session", `{"stageArn":"{stage1}","sessionId":"st-1CVugbu2cf2n8"}`)
	g.tell("ListParticipants", "unknown stage", `{"stageArn":"`+testStage+`","sessionId":"st-1CVugbu2cf2n8"}`)
	g.tell("ListParticipants", "nothing said", `{}`)
	g.tell("GetParticipant", "publisher", `{`+session+`,"participantId":"{ann}"}`)
	g.tell("GetParticipant", "subscriber", `{`+session+`,"participantId":"{bob}"}`)
	g.tell("GetParticipant", "never joined", `{`+session+`,"participantId":"{participant1}"}`)
	g.tell("GetParticipant", "self-signed id", `{`+session+`,"participantId":"seat_1-A"}`)
	g.tell("ListParticipantEvents", "all", `{`+session+`,"participantId":"{bob}"}`)
	g.tell("ListParticipantEvents", "first page", `{`+session+`,"participantId":"{bob}","maxResults":2}`)
	g.tell("ListParticipantEvents", "second page", `{`+session+`,"participantId":"{bob}","maxResults":2,"nextToken":"{next3}"}`)
	g.tell("ListParticipantEvents", "unknown participant", `{`+session+`,"participantId":"nobody"}`)
	g.exchange(ann, "anna", map[string]string{"role": "host"})
	g.tell("ListParticipantEvents", "token exchanged", `{`+session+`,"participantId":"{ann}"}`)
	g.tell("GetParticipant", "token exchanged", `{`+session+`,"participantId":"{ann}"}`)
	g.tell("ListParticipants", "former user id", `{`+session+`,"filterByUserId":"ann"}`)
	g.tell("DisconnectParticipant", "present", `{"stageArn":"{stage1}","participantId":"{ann}","reason":"be nice"}`)
	g.tell("DisconnectParticipant", "unknown", `{"stageArn":"{stage1}","participantId":"nobody"}`)

	g.record(ann, stage.Fact{Name: stage.PublishStopped}, stage.Fact{Name: stage.Left})
	g.pass(time.Hour)
	g.name("session", g.join(arn, "carl").SessionID)
	g.tell("ListStageSessions", "all", `{"stageArn":"{stage1}"}`)
	g.tell("ListStageSessions", "unknown stage", `{"stageArn":"`+testStage+`"}`)
	g.tell("GetStageSession", "ended", `{`+session+`}`)
}

func (g *golden) tellPublicKeys() {
	material, err := json.Marshal(testPEM)
	g.check(err)
	g.tell("ImportPublicKey", "named", `{"name":"mine","tags":{"a":"b"},"publicKeyMaterial":`+string(material)+`}`)
	g.tell("ImportPublicKey", "again", `{"publicKeyMaterial":`+string(material)+`}`)
	g.tell("ImportPublicKey", "not a key", `{"publicKeyMaterial":"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"}`)
	g.tell("ImportPublicKey", "not PEM", `{"publicKeyMaterial":"AAAA"}`)
	g.tell("GetPublicKey", "known", `{"arn":"{key1}"}`)
	g.tell("GetPublicKey", "unknown", `{"arn":"arn:aws:ivs:eu-west-1:123456789012:public-key/f99cde61-c2b0-4df3-8941-ca7d38acca1a"}`)
	g.tell("ListPublicKeys", "all", `{}`)
}

func (g *golden) tellEncoders() {
	const unknown = `{"arn":"arn:aws:ivs:eu-west-1:123456789012:encoder-configuration/AbCdEfGhIjKl"}`
	g.tell("CreateEncoderConfiguration", "defaults", `{}`)
	g.tell("CreateEncoderConfiguration", "everything", `{"name":"tall","tags":{"a":"b"},`+
		`"video":{"width":720,"height":1280,"framerate":29.97,"bitrate":1}}`)
	g.tell("CreateEncoderConfiguration", "one member", `{"video":{"framerate":6e1}}`)
	g.tell("CreateEncoderConfiguration", "odd width", `{"video":{"width":1281}}`)
	g.tell("CreateEncoderConfiguration", "too many pixels", `{"video":{"width":1920,"height":1082}}`)
	g.tell("CreateEncoderConfiguration", "as many pixels as there may be", `{"video":{"width":1080,"height":1920}}`)
	g.tell("CreateEncoderConfiguration", "too fast", `{"video":{"framerate":60.5}}`)
	g.tell("CreateEncoderConfiguration", "reserved tag", `{"tags":{"aws:a":"b"}}`)
	g.tell("GetEncoderConfiguration", "known", `{"arn":"{encoder2}"}`)
	g.tell("GetEncoderConfiguration", "unknown", unknown)
	g.tell("GetEncoderConfiguration", "a stage", `{"arn":"{stage1}"}`)
	g.tell("ListEncoderConfigurations", "first page", `{"maxResults":2}`)
	g.tell("ListEncoderConfigurations", "last page", `{"nextToken":"{next5}"}`)
	g.tell("DeleteEncoderConfiguration", "known", `{"arn":"{encoder1}"}`)
	g.tell("DeleteEncoderConfiguration", "unknown", `{"arn":"{encoder1}"}`)
}

func (g *golden) tellStorage() {
	const unknown = `"arn:aws:ivs:eu-west-1:123456789012:storage-configuration/AbCdEfGhIjKl"`
	g.tell("CreateStorageConfiguration", "minimal", `{"s3":{"bucketName":"my-bucket"}}`)
	g.tell("CreateStorageConfiguration", "everything", `{"name":"archive","s3":{"bucketName":"other.bucket-2"},"tags":{"a":"b"}}`)
	g.tell("CreateStorageConfiguration", "missing bucket", `{"s3":{"bucketName":"missing"}}`)
	g.tell("CreateStorageConfiguration", "locked bucket", `{"s3":{"bucketName":"locked"}}`)
	g.tell("CreateStorageConfiguration", "path for a bucket", `{"s3":{"bucketName":"../../etc"}}`)
	g.tell("CreateStorageConfiguration", "nowhere", `{"name":"archive"}`)
	g.tell("GetStorageConfiguration", "known", `{"arn":"{storage1}"}`)
	g.tell("GetStorageConfiguration", "unknown", `{"arn":`+unknown+`}`)
	g.tell("ListStorageConfigurations", "all", `{}`)
	g.tell("CreateStage", "recorded", `{"autoParticipantRecordingConfiguration":{"storageConfigurationArn":"{storage1}",`+
		`"mediaTypes":["NONE"],"thumbnailConfiguration":{"recordingMode":"INTERVAL","targetIntervalSeconds":1},`+
		`"recordingReconnectWindowSeconds":300,"hlsConfiguration":{"targetSegmentDurationSeconds":2},"recordParticipantReplicas":false}}`)
	g.tell("UpdateStage", "recorded elsewhere", `{"arn":"{stage3}","autoParticipantRecordingConfiguration":{"storageConfigurationArn":"{storage2}",`+
		`"thumbnailConfiguration":{"storage":["LATEST","SEQUENTIAL"]},"hlsConfiguration":{}}}`)
	g.tell("UpdateStage", "unknown storage configuration", `{"arn":"{stage3}","autoParticipantRecordingConfiguration":`+
		`{"storageConfigurationArn":`+unknown+`}}`)
	g.tell("DeleteStorageConfiguration", "in use", `{"arn":"{storage2}"}`)
	g.tell("UpdateStage", "not recorded any more", `{"arn":"{stage3}","autoParticipantRecordingConfiguration":{"storageConfigurationArn":""}}`)
	g.tell("DeleteStorageConfiguration", "known", `{"arn":"{storage2}"}`)
	g.tell("DeleteStorageConfiguration", "unknown", `{"arn":"{storage2}"}`)
}

func (g *golden) tellIngest() {
	const unknown = `"arn:aws:ivs:eu-west-1:123456789012:ingest-configuration/AbCdEfGhIjKl"`
	g.tell("CreateIngestConfiguration", "minimal", `{"ingestProtocol":"rtmps"}`)
	g.tell("CreateIngestConfiguration", "everything", `{"ingestProtocol":"RTMP","insecureIngest":true,"redundantIngest":true,"name":"camera",`+
		`"stageArn":"{stage1}","userId":"cam <1>","attributes":{"role":"camera"},"tags":{"a":"b"}}`)
	g.tell("CreateIngestConfiguration", "no stage in words", `{"ingestProtocol":"RTMPS","stageArn":"","insecureIngest":true}`)
	g.tell("CreateIngestConfiguration", "RTMP without leave", `{"ingestProtocol":"RTMP"}`)
	g.tell("CreateIngestConfiguration", "unknown stage", `{"ingestProtocol":"RTMPS","stageArn":"`+testStage+`"}`)
	g.tell("CreateIngestConfiguration", "attributes too large", `{"ingestProtocol":"RTMPS","attributes":{"k":"`+strings.Repeat("v", 1024)+`"}}`)
	g.tell("CreateIngestConfiguration", "no protocol", `{}`)
	g.tell("CreateIngestConfiguration", "another protocol", `{"ingestProtocol":"SRT"}`)
	g.tell("GetIngestConfiguration", "known", `{"arn":"{ingest2}"}`)
	g.tell("GetIngestConfiguration", "unknown", `{"arn":`+unknown+`}`)
	g.tell("ListIngestConfigurations", "all", `{}`)
	g.tell("ListIngestConfigurations", "of a stage", `{"filterByStageArn":"{stage1}"}`)
	g.tell("ListIngestConfigurations", "of an unknown stage", `{"filterByStageArn":"`+testStage+`"}`)
	g.tell("ListIngestConfigurations", "active", `{"filterByState":"ACTIVE"}`)
	g.tell("ListIngestConfigurations", "inactive", `{"filterByState":"INACTIVE","maxResults":1}`)
	g.tell("ListIngestConfigurations", "token of another question", `{"nextToken":"{next6}"}`)
	g.tell("ListIngestConfigurations", "two filters", `{"filterByState":"ACTIVE","filterByStageArn":"{stage1}"}`)
	g.tell("UpdateIngestConfiguration", "attached", `{"arn":"{ingest1}","stageArn":"{stage1}"}`)
	g.tell("UpdateIngestConfiguration", "redundant", `{"arn":"{ingest1}","redundantIngest":true}`)
	g.tell("UpdateIngestConfiguration", "not redundant any more", `{"arn":"{ingest1}","redundantIngest":false}`)
	g.tell("UpdateIngestConfiguration", "nothing", `{"arn":"{ingest1}"}`)
	g.tell("UpdateIngestConfiguration", "detached", `{"arn":"{ingest1}","stageArn":""}`)
	g.tell("UpdateIngestConfiguration", "unknown stage", `{"arn":"{ingest1}","stageArn":"`+testStage+`"}`)
	g.tell("UpdateIngestConfiguration", "unknown", `{"arn":`+unknown+`,"stageArn":""}`)
	g.tell("DisconnectParticipant", "of an ingest configuration", `{"stageArn":"{stage1}","participantId":"{participant7}"}`)
	g.tell("GetIngestConfiguration", "whose participant was disconnected", `{"arn":"{ingest2}"}`)
	g.tell("DeleteIngestConfiguration", "known", `{"arn":"{ingest2}"}`)
	g.tell("DeleteIngestConfiguration", "unknown", `{"arn":"{ingest2}","force":true}`)
}

func (g *golden) tellCompositions() {
	const (
		arn     = `{"arn":"arn:aws:ivs:eu-west-1:123456789012:composition/AbCdEfGhIjKl"}`
		channel = `{"name":"live","channel":{"channelArn":"arn:aws:ivs:eu-west-1:123456789012:channel/AbCdEfGhIjKl"}}`
		s3      = `{"s3":{"storageConfigurationArn":"{storage1}","encoderConfigurationArns":["{encoder2}"],` +
			`"recordingConfiguration":{"format":"HLS","hlsConfiguration":{"targetSegmentDurationSeconds":10}},` +
			`"thumbnailConfigurations":[{"targetIntervalSeconds":60,"storage":["LATEST"]}]}}`
		both = `{"channel":{"channelArn":"arn:aws:ivs:eu-west-1:123456789012:channel/AbCdEfGhIjKl"},` +
			`"s3":{"storageConfigurationArn":"{storage1}","encoderConfigurationArns":["{encoder2}"]}}`
	)
	start := func(name, rest string) { g.tell("StartComposition", name, `{"stageArn":"{stage1}",`+rest+`}`) }
	start("everything", `"idempotencyToken":"once","tags":{"a":"b"},"destinations":[`+channel+`,`+s3+`],`+
		`"layout":{"grid":{"featuredParticipantAttribute":"role","omitStoppedVideo":true,"videoAspectRatio":"AUTO","videoFillMode":"FILL",`+
		`"gridGap":0,"participantOrderAttribute":"order"}}`)
	start("picture in picture", `"destinations":[`+s3+`],"layout":{"pip":{"pipBehavior":"DYNAMIC","pipPosition":"TOP_LEFT","pipWidth":1,"pipHeight":1,"pipOffset":0}}`)
	start("grid and pip", `"destinations":[`+s3+`],"layout":{"grid":{},"pip":{}}`)
	start("no destination", `"destinations":[]`)
	start("empty destination", `"destinations":[`+channel+`,{"name":"nowhere"}]`)
	start("channel and s3 in one", `"destinations":[`+both+`]`)
	start("two channels", `"destinations":[`+channel+`,`+channel+`]`)
	start("two buckets", `"destinations":[`+s3+`,`+s3+`]`)
	start("reserved tag", `"tags":{"aws:a":"b"},"destinations":[`+s3+`]`)
	start("two encoders", `"destinations":[{"s3":{"storageConfigurationArn":"{storage1}","encoderConfigurationArns":["{encoder2}","{encoder3}"]}}]`)
	g.tell("GetComposition", "not done yet", arn)
	g.tell("StopComposition", "not done yet", arn)
	g.tell("ListCompositions", "not done yet", `{"filterByStageArn":"{stage1}","filterByEncoderConfigurationArn":"{encoder2}"}`)
	g.tell("ListCompositions", "token nobody issued", `{"nextToken":"AAAA"}`)
}

func (g *golden) tellReplicas() {
	const two = `"sourceStageArn":"{stage1}","destinationStageArn":"{stage2}","participantId":"{ann}"`
	const one = `"sourceStageArn":"{stage1}","destinationStageArn":"{stage1}","participantId":"{ann}"`
	g.tell("StartParticipantReplication", "not done yet", `{`+two+`,"reconnectWindowSeconds":300,"attributes":{"a":"b"}}`)
	g.tell("StartParticipantReplication", "to itself", `{`+one+`}`)
	g.tell("StartParticipantReplication", "attributes too large", `{`+two+`,"attributes":{"k":"`+strings.Repeat("v", 1024)+`"}}`)
	g.tell("StopParticipantReplication", "not done yet", `{`+two+`}`)
	g.tell("StopParticipantReplication", "from itself", `{`+one+`}`)
	g.tell("ListParticipantReplicas", "not done yet", `{"sourceStageArn":"{stage1}","participantId":"{ann}","maxResults":50}`)
	g.tell("ListParticipantReplicas", "too many", `{"sourceStageArn":"{stage1}","participantId":"{ann}","maxResults":51}`)
	g.tell("ListParticipantReplicas", "token nobody issued", `{"sourceStageArn":"{stage1}","participantId":"{ann}","nextToken":"AAAA"}`)
}

func (g *golden) tellTags() {
	tags := "/tags/" + strings.NewReplacer(":", "%3A", "/", "%2F").Replace(g.actual("{stage1}"))
	g.request("TagResource", "two", "POST", tags, `{"tags":{"team":"a","Team":""}}`)
	g.request("TagResource", "none", "POST", tags, `{"tags":{}}`)
	g.request("TagResource", "absent", "POST", tags, `{}`)
	g.request("TagResource", "reserved", "POST", tags, `{"tags":{"aws:x":"y"}}`)
	g.request("TagResource", "unknown", "POST", "/tags/"+testStage, `{"tags":{"a":"b"}}`)
	g.request("TagResource", "not taggable", "POST", "/tags/arn:aws:ivs:eu-west-1:123456789012:channel/AbCdEfGhIjKl", `{"tags":{"a":"b"}}`)
	g.request("ListTagsForResource", "two", "GET", tags, "")
	g.request("UntagResource", "one of two", "DELETE", tags+"?tagKeys=team&tagKeys=not%20there", "")
	g.request("UntagResource", "no keys", "DELETE", tags, "")
	g.request("UntagResource", "empty key", "DELETE", tags+"?tagKeys=a&tagKeys=", "")
	g.request("UntagResource", "unknown", "DELETE", "/tags/"+testStage+"?tagKeys=a", "")
	g.request("ListTagsForResource", "one", "GET", tags, "")
	g.request("ListTagsForResource", "malformed", "GET", "/tags/stage", "")
	g.request("ListTagsForResource", "unknown", "GET", "/tags/"+testStage, "")
}

func (g *golden) tellTheEnd() {
	g.tell("DeletePublicKey", "known", `{"arn":"{key1}"}`)
	g.tell("DeletePublicKey", "unknown", `{"arn":"{key1}"}`)
	g.tell("DeleteStage", "known", `{"arn":"{stage1}"}`)
	g.tell("DeleteStage", "unknown", `{"arn":"{stage1}"}`)
}

// tell tells one request to an operation of the usual kind.
func (g *golden) tell(operation, name, body string) {
	g.t.Helper()
	g.request(operation, name, "POST", "/"+operation, body)
}

// request sends one request, in which names stand for what is random, and
// compares it and its response with the file.
func (g *golden) request(operation, name, method, path, body string) {
	g.t.Helper()
	g.told[operation] = true
	sent := g.actual(body)
	if stray := strayName.FindString(sent); stray != "" {
		g.t.Fatalf("%s: nothing has the name %s", operation, stray)
	}
	got := g.call(method, path, sent)
	g.checkDeclared(operation, got.code())
	g.learn(got.body)
	file := filepath.Join("testdata", "golden", operation, strings.ReplaceAll(name, " ", "-")+".txt")
	if g.seen[file] {
		g.t.Fatalf("%s is told twice", file)
	}
	g.seen[file] = true
	text := g.named(fmt.Sprintf("%s %s\n%s\n%s\n%s", method, path, indent(body),
		strings.TrimSpace(fmt.Sprint(got.status, " ", got.code())), indent(got.body)))
	if *update {
		g.check(os.MkdirAll(filepath.Dir(file), 0o755))
		g.check(os.WriteFile(file, []byte(text), 0o644))
		return
	}
	want, err := os.ReadFile(file)
	if err != nil || string(want) != text {
		g.t.Errorf("%s: got\n%s\nwant\n%s", file, text, want)
	}
}

var strayName = regexp.MustCompile(`\{[a-z]+[0-9]*\}`)

// checkDeclared requires that the operation declares the error it answered.
func (g *golden) checkDeclared(operation, code string) {
	for _, op := range table() {
		allowed := append(op.errors, "", validation, accessDenied)
		if op.output == nil {
			allowed = []string{validation, "OperationNotSupportedException"}
		}
		if op.name == operation && !slices.Contains(allowed, code) {
			g.t.Errorf("%s answered %s and does not declare it", operation, code)
		}
	}
}

func indent(body string) string {
	var b bytes.Buffer
	if json.Indent(&b, []byte(body), "", "  ") != nil {
		return body
	}
	return b.String() + "\n"
}

// random finds what the server drew by lot.
var random = []struct {
	kind string
	re   *regexp.Regexp
}{
	{"stage", regexp.MustCompile(`"arn":"([^"]*:stage/[^"]*)"`)},
	{"ingest", regexp.MustCompile(`"arn":"([^"]*:ingest-configuration/[^"]*)"`)},
	{"streamkey", regexp.MustCompile(`"streamKey":"(rt_123456789012_eu-west-1_[A-Za-z0-9]{12}_[A-Za-z0-9]{30})"`)},
	{"encoder", regexp.MustCompile(`"arn":"([^"]*:encoder-configuration/[^"]*)"`)},
	{"storage", regexp.MustCompile(`"arn":"([^"]*:storage-configuration/[^"]*)"`)},
	{"key", regexp.MustCompile(`"arn":"([^"]*:public-key/[^"]*)"`)},
	{"participant", regexp.MustCompile(`"participantId":"([A-Za-z0-9]{12})"`)},
	{"jwt", regexp.MustCompile(`"token":"([^"]*)"`)},
	{"next", regexp.MustCompile(`"nextToken":"([^"]*)"`)},
}

func (g *golden) learn(body string) {
	for _, r := range random {
		for _, found := range r.re.FindAllStringSubmatch(body, -1) {
			g.name(r.kind, found[1])
		}
	}
}

// name gives a number to something random that has none.
func (g *golden) name(kind, actual string) {
	if slices.Contains(g.names, actual) {
		return
	}
	g.count[kind]++
	g.names = append(g.names, actual, fmt.Sprintf("{%s%d}", kind, g.count[kind]))
}

// named puts names for what is random, also where a path spells it escaped.
func (g *golden) named(text string) string {
	text = strings.NewReplacer(g.names...).Replace(text)
	for i := 0; i < len(g.names); i += 2 {
		escaped := strings.NewReplacer(":", "%3A", "/", "%2F").Replace(g.names[i])
		text = strings.ReplaceAll(text, escaped, g.names[i+1])
	}
	return text
}

func (g *golden) actual(text string) string {
	back := slices.Clone(g.names)
	slices.Reverse(back)
	return strings.NewReplacer(back...).Replace(text)
}

// findStrays finds files that nobody tells any more.
func (g *golden) findStrays() {
	files, err := filepath.Glob("testdata/golden/*/*.txt")
	g.check(err)
	for _, file := range files {
		if !g.seen[file] {
			g.t.Errorf("%s is no longer told", file)
		}
	}
}
