package stage

import (
	"context"
	"errors"
	"time"
)

// ErrNoRow is what a [Tx] answers when the asked-for thing is not stored.
var ErrNoRow = errors.New("no such row")

// ErrChanged is what [Tx.PutDocument] answers when the stored version is not
// the one that was read.
var ErrChanged = errors.New("document was changed meanwhile")

// Store remembers facts. It contains no rule of the domain.
type Store interface {
	// View runs fn on one consistent snapshot of committed facts. fn may be
	// run concurrently with others and must not write.
	View(ctx context.Context, fn func(Tx) error) error

	// Update runs fn and returns after what it wrote is durable. Updates are
	// strictly one after another; several may share one commit. An error of fn
	// undoes all that fn wrote and is returned as it is. fn runs on the
	// store's goroutine: it must be quick, must not block, and must not call
	// View or Update. A ctx that ends before fn has started means that fn did
	// not run; once it has started, Update waits for the outcome.
	Update(ctx context.Context, fn func(Tx) error) error

	// Roll gives what Tx.Participants would, for the session of this id on this
	// stage (whatever q.Session says), from memory and as of this moment; false
	// if it is not there, which says nothing about whether it exists.
	Roll(arn ARN, sessionID string, q ParticipantQuery) ([]Participant, bool)

	// CountRoll counts those whom Roll would list if there were no bounds; the
	// user id must not be asked for.
	CountRoll(arn ARN, sessionID string, q ParticipantQuery) (int64, bool)

	// Latest gives the number of the last durable event, 0 if there is none,
	// and a channel that is closed as soon as that number is another. It is less
	// than before when everything was forgotten.
	Latest() (no int64, later <-chan struct{})

	// Scrub lets nothing that was removed or erased stay in the log of the files
	// that the store has or, wholly, anywhere in them: it returns when that is
	// so. Updates wait meanwhile.
	Scrub(ctx context.Context, wholly bool) error
}

// Tx is one transaction. Getters answer [ErrNoRow] when there is nothing; lists
// answer an empty slice. A Tx is valid until fn returns.
type Tx interface {
	// Now is the time at which this transaction began, in UTC with millisecond
	// precision. It does not go back from one Update to the next, unless the
	// clock was wrong by more than a minute.
	Now() time.Time

	// Document reads one document by its ARN.
	Document(arn ARN) (Document, error)
	// Documents lists documents in order of creation.
	Documents(DocumentQuery) ([]Document, error)
	// Regions lists the regions in which an account has documents of one type.
	Regions(typ, account string) ([]string, error)
	// CountDocuments counts the documents of one type of one account and region, up to most.
	CountDocuments(typ, account, region string, most int) (int, error)
	// PutDocument stores d. No zero inserts and sets d.No, d.Version and
	// d.Created; otherwise it replaces the row if its version is still
	// d.Version, counts d.Version up, and fails with ErrChanged if not.
	PutDocument(d *Document) error
	// DeleteDocument removes one document; ErrNoRow when there was none.
	DeleteDocument(arn ARN) error

	// Secret reads a server secret (signing keys) by name.
	Secret(name string) ([]byte, error)
	// PutSecret stores a server secret under a name that has none yet.
	PutSecret(name string, value []byte) error

	// Pass reads what is known of a participant id's permission on a stage.
	Pass(stage ARN, participantID string) (Pass, error)
	// PutPass inserts or replaces a pass.
	PutPass(Pass) error

	// Session reads one session of a stage by its id.
	Session(stage ARN, id string) (Session, error)
	// LiveSession reads the one session of the stage that has not ended.
	LiveSession(stage ARN) (Session, error)
	// Sessions lists sessions; see SessionQuery for the order.
	Sessions(SessionQuery) ([]Session, error)
	// PutSession stores s. No zero inserts and sets s.No. At most one session
	// of a stage may be without an end.
	PutSession(s *Session) error

	// Participant reads one participant of a session by id, detail included.
	Participant(session int64, id string) (Participant, error)
	// Participants lists participants of a session without their detail, the
	// newest join sequence first. It costs O(limit) for every filter, at any
	// depth and any size.
	Participants(ParticipantQuery) ([]Participant, error)
	// PutParticipant inserts or replaces (by session and Seq) a participant.
	// Seq is assigned by the caller. A nil Detail leaves the stored detail as it is.
	PutParticipant(*Participant) error

	// Expire removes a session that has ended, at once for everybody who asks,
	// and leaves its rows to Sweep.
	Expire(s Session) error
	// Sweep removes at most limit rows of what was expired, and passes whose
	// time is over. It tells how many; 0 when nothing is left.
	Sweep(limit int) (int, error)
	// Erase takes user id, attributes and client from a participant of a
	// session, and what it exchanged them for. No copy of them stays in memory.
	Erase(session, seq int64) error
	// Exchanged lists ids of participants of a session who had a user id until, or
	// since, they exchanged their token, at most limit; one may be listed twice.
	Exchanged(session int64, userID string, limit int) ([]string, error)
	// Oldest is the position before the first event from which on the feed is
	// whole; 0 while nothing was swept.
	Oldest() (int64, error)

	// AppendEvent stores e under the next number of the feed and sets e.No.
	// Numbers have no gaps and become visible in order.
	AppendEvent(e *Event) error
	// Events lists the events of one participant, newest first.
	Events(EventQuery) ([]Event, error)
	// Feed lists all events of all stages with No greater than after, oldest first, at most limit.
	Feed(after int64, limit int) ([]Event, error)

	// Walk lists the participants that a walk through a session comes by.
	Walk(WalkQuery) ([]Participant, error)
	// Count counts the participants that Walk would list.
	Count(WalkQuery) (int64, error)
	// Histories shows visit the events of the participants of a session with Seq
	// greater than above and at most through: one participant after another by
	// Seq, the events of each oldest first.
	Histories(session, above, through int64, visit func(seq int64, e Event)) error
	// SessionEvents lists all events of a session, of people who were refused as
	// well, by participant id and No: those after the one given, at most limit. Their Stage is not read.
	SessionEvents(session int64, after Event, limit int) ([]Event, error)

	// Beat notes that the server is alive at Now.
	Beat() error
	// Forget removes everything but the secrets and the processes, as if nothing
	// had ever been stored: numbers begin anew, and Now of later transactions may
	// be earlier.
	Forget() error

	Troupe

	// LastBeat is the later of the last noted beat and the last event; the
	// zero time when there is neither.
	LastBeat() (time.Time, error)
}

// Troupe is the part of a transaction that is about the servers on the same
// facts, and about which of them holds whom.
type Troupe interface {
	// Processes lists all of them, alive or not, by id.
	Processes() ([]Process, error)
	// PutProcess inserts or replaces (by ID) a process.
	PutProcess(Process) error
	// DeleteProcess removes a process, if it is there. Its seats stay.
	DeleteProcess(id string) error

	// Seat reads who holds a participant.
	Seat(stage ARN, participantID string) (Seat, error)
	// Seats lists whom a process holds, at most limit.
	Seats(process string, limit int) ([]Seat, error)
	// PutSeat inserts or replaces (by stage and participant) a seat.
	PutSeat(Seat) error
	// DeleteSeat removes a seat, if it is there.
	DeleteSeat(stage ARN, participantID string) error
}

// Document is a resource that is small, rare and read whole: a stage, a public
// key, a configuration.
type Document struct {
	ARN     ARN
	No      int64 // order of creation, unique over all documents
	Version int64
	Created time.Time
	Name    string
	Tags    map[string]string
	Body    []byte // JSON of what is particular to the type

	// Links are the ARNs by which the document is found beside its own: the
	// resources it refers to. A set, read in the order of their texts; nil when
	// empty. A target need not exist.
	Links []ARN
}

// DocumentQuery selects documents of one type, account and region with No
// greater than After, ascending, at most Limit; with Link set, only those that
// have it among their links. It costs O(Limit) with a link and without.
type DocumentQuery struct {
	Type, Account, Region string
	Link                  ARN
	After                 int64
	Limit                 int
}

// Pass is what the server remembers of a participant token: never the token,
// only that the id was issued or seen, until when that matters, and whether it
// is barred.
type Pass struct {
	Stage         ARN
	ParticipantID string
	Expires       time.Time // the row may be forgotten after this
	Barred        bool
}

// SessionQuery selects sessions.
//
// With Stage set: that stage's sessions, newest first, No less than Before if
// Before is not zero. With Of set: the sessions without an end of the stages
// that Of lists, in no order, whatever the other members say. With All set: the
// sessions of all stages, oldest first, No greater than After, those of stages
// that were deleted included. With Orphans set: the sessions without an end of stages that
// were deleted, oldest first, No greater than After. With none: all sessions without an end, oldest
// first, No greater than After. At most Limit.
type SessionQuery struct {
	Stage   ARN
	Of      DocumentQuery
	All     bool
	Orphans bool
	Before  int64
	After   int64
	Limit   int
}

// ParticipantQuery selects participants of one session, Seq descending, Seq
// less than Before if Before is not zero, at most Limit. At most one of the
// filters is set.
type ParticipantQuery struct {
	Session   int64
	Before    int64
	Limit     int
	UserID    *string
	Connected *bool
	Published *bool
	Recording *RecordingState

	Into []Participant // memory that Roll may use for its answer; optional
}

// WalkQuery selects the participants of one session with Seq greater than Above
// and at most Through whom Filter means, Seq ascending. Their detail is read if
// Detail is set or the filter needs it. It costs O(Through - Above), less if the
// filter keeps few.
type WalkQuery struct {
	Session        int64
	Above, Through int64
	Filter         Filter
	Detail         bool
}

// EventQuery selects the events of one participant in one session, newest
// first, No less than Before if Before is not zero, at most Limit.
type EventQuery struct {
	Session     int64
	Participant string
	Before      int64
	Limit       int
}
