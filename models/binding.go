package models

import (
	"net/netip"
	"time"
)

// A Binding is one contact binding of an AOR (RFC 3261, section 10).
type Binding struct {
	AccountID string
	DeviceID  string
	AOR       string         // "sip:1001@acme.example.com": lower-case host, no parameters
	Contact   string         // URI as the phone sent it, without angle brackets; often a private address
	Instance  string         // +sip.instance (RFC 5626), "" when not given
	RegID     int            // reg-id (RFC 5626), 0 when not given
	Path      []string       // Path header values in order (RFC 3327), to be sent as Route
	Received  netip.AddrPort // source of the REGISTER; requests go here (NAT)
	Transport string         // "udp", "tcp" or "tls"
	Replica   string         // server that holds the connection of a tcp or tls binding
	CallID    string
	CSeq      uint32
	UserAgent string
	Expires   time.Time // absolute; the zero Time is never stored
	Modified  time.Time // the last REGISTER
}

// Live reports whether the binding holds at the given time.
func (b Binding) Live(now time.Time) bool { return b.Expires.After(now) }

// A Registration is a device that is registered, with its live bindings.
type Registration struct {
	Device   *Device
	Bindings []Binding
}

// A Hotdesk says that a user is logged in to a device.
type Hotdesk struct {
	UserID     string
	DeviceID   string
	DeviceName string
}

// The states of a Notification.
const (
	NotifyQueued      = "queued"      // not sent yet, or no answer yet
	NotifyRetrying    = "retrying"    // without success so far, and sent again at Next
	NotifyAccepted    = "accepted"    // 2xx
	NotifyRefused     = "refused"     // any other final answer: the phone was reached
	NotifyTimeout     = "timeout"     // no answer in time
	NotifyUnreachable = "unreachable" // nowhere to send it, or the phone's connection is gone
)

// A Notification is the story of one NOTIFY to one contact of a device.
type Notification struct {
	ID        string
	JobID     string // the bulk job that it is part of, "" when it was asked for singly
	AccountID string
	DeviceID  string
	AOR       string
	Contact   string // "" when the device had no binding
	Event     string // the Event header: "check-sync;reboot=false"
	Replica   string // server that sends it
	State     string
	Code      int    // SIP status of the final answer, 0 when there was none
	Reason    string // its reason phrase, or what went wrong
	Attempts  int    // times it was sent, or would have been if there were a way
	Created   time.Time
	Next      time.Time // the next attempt; zero unless retrying
	Finished  time.Time // zero while queued or retrying

	// What the phone did afterwards is looked for until WatchUntil; zero = it is not.
	WatchUntil time.Time
	Fetched    time.Time // its first fetch since Created, zero when there is none
	Registered time.Time // its first registration known of since Fetched
}

// Open reports whether the notification has no outcome yet.
func (n Notification) Open() bool { return n.State == NotifyQueued || n.State == NotifyRetrying }

// A Fetch records one request of a phone.
type Fetch struct {
	AccountID string // "" when nothing was known about the asker
	DeviceID  string
	MAC       string // as asked for; of a common file as the User-Agent tells, "" when it does not
	File      string // path without the token
	Method    string
	Status    int
	ETag      string // without quotes
	Bytes     int64
	Source    string // address, no port
	UserAgent string
	Firmware  string // parsed from the User-Agent by the brands' manifests
	Exposed   bool   // secrets were sent in the clear: counted, not kept

	CameBefore bool // the device is known to have fetched something before; not kept

	// While what they replaced is still good, see the store's rotations; not kept.
	WithToken    string // hash of the account's path token, when the device's own file was fetched with that
	WithPassword string // hash of the device's HTTP password, likewise

	Duration time.Duration
	At       time.Time
}

// A DeviceRef says which device something is of, and in which account that is.
type DeviceRef struct{ ID, AccountID string }

// An UnknownDevice is a phone that asks for files of an account which has no
// device with its MAC.
type UnknownDevice struct {
	MAC                     string
	File, Source, UserAgent string // of the newest request
	Requests                int
	First, Last             time.Time
}
