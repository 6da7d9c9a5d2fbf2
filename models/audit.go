package models

import (
	"context"
	"encoding/json"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"
)

// The ways a change can come in.
const (
	ViaAPI = "api"
	ViaCLI = "cli" // the command line, on the machine with the database
)

// An Actor is who makes a change, and from where.
type Actor struct {
	AccountID string // whose key or password was presented; "" on the command line
	UserID    string // whose password it was, "" of an API key
	// Whom the token acts as, when that is somebody else: an account, or a user
	// of it.
	AsAccountID, AsUserID string

	Via       string // ViaAPI or ViaCLI; "" = the server itself
	Source    string // address of the client
	RequestID string
}

type actorKey struct{}

// WithActor says who is responsible for the writes made with the context.
func WithActor(ctx context.Context, a Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, a)
}

// ActorOf is who the context says is acting; the zero Actor when it does not.
func ActorOf(ctx context.Context) Actor {
	a, _ := ctx.Value(actorKey{}).(Actor)
	return a
}

// The kinds of documents that are audited.
const (
	KindAccount = "account"
	KindUser    = "user"
	KindDevice  = "device"
	KindSync    = "sync" // a bulk job
)

// The actions that are audited.
const (
	ActionCreate = "create"
	ActionUpdate = "update"
	ActionDelete = "delete"
	ActionReveal = "reveal" // somebody was shown the secrets of a rendered file, or an upload
	ActionClear  = "clear"  // an upload of the device was deleted

	ActionLogin        = "login"
	ActionLoginRefused = "login_refused" // of an account or user that is known
	ActionLogout       = "logout"
	ActionRecovery     = "recovery" // a link to reset the password is mailed
	ActionFlush        = "flush"    // registrations were dropped on request

	ActionCall = "quickcall" // phones rang, to call a number
)

// An AuditEntry says what was done to one document, by whom. It holds no
// secret.
type AuditEntry struct {
	ID        int64  // grows with time on one database server
	AccountID string // whose entry it is: the document's account, the parent of a deleted account
	Kind      string
	ObjectID  string
	Action    string
	Actor     Actor
	Revision  string // of the document afterwards; of a deleted one the last
	Detail    string // the file that was revealed or cleared; how somebody logged in, and what was wrong with it; the number that was called
	Changes   []Change
	Truncated bool     // there were more, or larger, changes than are kept
	Document  Document // a deleted document's last state, nil otherwise
	At        time.Time
}

// An ObjectChange says that an account, user or device was changed or deleted.
type ObjectChange struct {
	ID       int64 // of the audit entry
	ObjectID string
}

// LoginEntry is the entry of what a login of an account, or of its user when
// there is one, came to.
func LoginEntry(action, accountID, userID, detail string) AuditEntry {
	e := AuditEntry{AccountID: accountID, Kind: KindAccount, ObjectID: accountID, Action: action, Detail: detail}
	if userID != "" {
		e.Kind, e.ObjectID = KindUser, userID
	}
	return e
}

// A Change is one member that differs. A member that is absent is nil, and so
// is one that is null.
type Change struct {
	Path string `json:"path"` // dotted, "%2E" for a dot inside a name
	From any    `json:"from"`
	To   any    `json:"to"`
}

// Bounds of what one entry keeps.
const (
	maxChanges     = 500
	maxChangeValue = 2 << 10   // bytes of JSON of one value
	maxChangeBytes = 64 << 10  // bytes of all changes
	maxLastState   = 256 << 10 // bytes of JSON of a deleted document
)

// Changes lists by path what makes after of before, secrets masked: a secret
// that changed goes from "REDACTED" to "REDACTED". Lists are compared whole.
// What is too large to keep is left out, which truncated tells.
func Changes(before, after Document) (changes []Change, truncated bool) {
	d := &difference{}
	d.objects("", before, after, false)
	return d.changes, d.truncated
}

type difference struct {
	changes   []Change
	bytes     int
	truncated bool
}

func (d *difference) objects(path string, before, after map[string]any, secret bool) {
	for _, name := range unionOfNames(before, after) {
		d.values(join(path, name), before[name], after[name], secret || IsSecretName(name))
	}
}

func (d *difference) values(path string, before, after any, secret bool) {
	from, fromIsObject := before.(map[string]any)
	to, toIsObject := after.(map[string]any)
	switch {
	case reflect.DeepEqual(before, after):
	case fromIsObject && toIsObject, fromIsObject && after == nil && len(from) > 0, toIsObject && before == nil && len(to) > 0:
		d.objects(path, from, to, secret)
	default:
		d.add(Change{Path: path, From: withSecret(before, secret, mask), To: withSecret(after, secret, mask)})
	}
}

// add keeps a change, as long as there is room for it.
func (d *difference) add(c Change) {
	c.From, c.To = d.bounded(c.From), d.bounded(c.To)
	size := len(`{"path":,"from":,"to":}`) + sizeOf(c.Path) + sizeOf(c.From) + sizeOf(c.To)
	if len(d.changes) == maxChanges || d.bytes+size > maxChangeBytes {
		d.truncated = true
		return
	}
	d.changes, d.bytes = append(d.changes, c), d.bytes+size
}

// bounded is v, or the beginning of its JSON when it is large.
func (d *difference) bounded(v any) any {
	if text, isText := v.(string); v == nil || isText && len(text) < maxChangeValue/8 {
		return v // however it is escaped
	}
	raw, err := json.Marshal(v)
	if err != nil || len(raw) <= maxChangeValue {
		return v
	}
	d.truncated = true
	cut := maxChangeValue
	for !utf8.RuneStart(raw[cut]) {
		cut--
	}
	return string(raw[:cut]) + "..."
}

// sizeOf is how many bytes of JSON a value takes.
func sizeOf(v any) int {
	if text, isText := v.(string); isText && isPlain(text) {
		return len(text) + len(`""`)
	}
	raw, _ := json.Marshal(v) // values of a document: they marshal
	return len(raw)
}

// isPlain reports whether nothing of a text is escaped in JSON.
func isPlain(text string) bool {
	return !strings.ContainsFunc(text, func(c rune) bool {
		return c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&'
	})
}

func unionOfNames(a, b map[string]any) []string {
	names := make([]string, 0, len(a)+len(b))
	for name := range a {
		names = append(names, name)
	}
	for name := range b {
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func join(path, name string) string {
	name = strings.ReplaceAll(name, ".", "%2E")
	if path == "" {
		return name
	}
	return path + "." + name
}

// secretName finds the member names that hold secrets: words anywhere for
// those that say it plainly, at the end for those that often do, words of their
// own for the short ones. SIP headers may carry anything.
var secretName = regexp.MustCompile(`(?i:passw|passphrase|passcode|secret|token|credential|api_?key|private_?key|^pvt_|^custom_sip_headers$)` +
	`|(?i:(?:pass|pwd|auth|authorization|cookie|hash|key|pin)[0-9]*$)` +
	`|(?i:^|[^a-z])(?i:pin|pwd|psk|pass)(?i:[^a-z]|$)|[a-z](?:Pin|PIN|Pwd|Psk|Pass)(?:[^a-z]|$)`)

// plainName finds those that only sound like it.
var plainName = regexp.MustCompile(`(?i:^(?:require_.*|token_life|.*(?:by|com)pass)$)`)

// IsSecretName reports whether a member of that name, and all below it, is to be
// kept out of sight: "password", "admin_password", "pin", "unlockPin".
func IsSecretName(name string) bool {
	if secret, known := judged.Load(name); known {
		return secret == true
	}
	secret := secretName.MatchString(name) && !plainName.MatchString(name)
	if len(name) <= maxJudgedName && judgedCount.Add(1) <= maxJudged {
		judged.Store(name, secret)
	}
	return secret
}

// Documents have the same names over and over: what was found about the first
// ones is remembered, which makes an import twice as fast.
var (
	judged      sync.Map // name to bool
	judgedCount atomic.Int64
)

const (
	maxJudged     = 10_000
	maxJudgedName = 64
)

// IsSecretPath reports whether a dotted path leads to a secret.
func IsSecretPath(path string) bool {
	return slices.ContainsFunc(strings.Split(path, "."), IsSecretName)
}

// Masked is a copy of the document in which secrets read "REDACTED". Empty
// ones stay empty, and switches are no secrets.
func (d Document) Masked() Document {
	return d.WithSecrets(mask)
}

func mask(any) any { return redacted }

// WithSecrets is a copy of the document in which every secret is replaced.
// Empty ones stay empty.
func (d Document) WithSecrets(replace func(any) any) Document {
	return withSecrets(d, false, replace)
}

func withSecrets(object map[string]any, secret bool, replace func(any) any) map[string]any {
	out := make(map[string]any, len(object))
	for name, v := range object {
		out[name] = withSecret(v, secret || IsSecretName(name), replace)
	}
	return out
}

func withSecret(v any, secret bool, replace func(any) any) any {
	switch v := v.(type) {
	case map[string]any:
		return withSecrets(v, secret, replace)
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = withSecret(item, secret, replace)
		}
		return out
	}
	_, isSwitch := v.(bool)
	if !secret || isSwitch || v == nil || v == "" {
		return v
	}
	return replace(v)
}

// LastState is what is kept of a deleted document: all of it, secrets masked,
// or, of an uncommonly large one, the members that are small.
func (d Document) LastState() (state Document, truncated bool) {
	state = d.Masked()
	if sizeOf(map[string]any(state)) <= maxLastState {
		return state, false
	}
	bytes := 0
	for _, name := range unionOfNames(state, nil) {
		if bytes += len(name) + sizeOf(state[name]); bytes > maxLastState {
			bytes -= len(name) + sizeOf(state[name])
			delete(state, name)
		}
	}
	return state, true
}
