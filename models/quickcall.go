package models

import "time"

// The states of a QuickCall.
const (
	CallRinging   = "ringing"   // the phones ring
	CallAnswered  = "answered"  // one was answered and is being told to call the number
	CallDialing   = "dialing"   // it calls the number
	CallConnected = "connected" // the number answered

	CallTransferred    = "transferred"     // the phone called the number and did not tell what became of it
	CallNumberFailed   = "number_failed"   // the number did not answer: the code that the phone was given
	CallUnanswered     = "unanswered"      // nobody answered the phones in time
	CallRefused        = "refused"         // a phone refused the call
	CallUnreachable    = "unreachable"     // nothing to call, or no answer at all
	CallHungUp         = "hung_up"         // the phone hung up before it called the number
	CallNotTransferred = "not_transferred" // the phone refuses to call the number
	CallInterrupted    = "interrupted"     // the server stopped
)

// A QuickCall is the story of one call that the server placed: it rings phones,
// and the one that answers is told to call a number.
type QuickCall struct {
	ID        string
	AccountID string
	UserID    string // "" when a device was asked for, and not a user's
	DeviceID  string // that answered, or the only one; "" = none of several
	Number    string
	Contact   string // that answered, or refused
	State     string
	Code      int    // SIP status that ended it, 0 when none did
	Reason    string // its reason phrase, or what went wrong
	Replica   string // server that placed it
	Created   time.Time
	Answered  time.Time // zero: never
	Finished  time.Time // zero while it is under way
}

// Started reports whether the phone has been told to call the number, and does.
func (c *QuickCall) Started() bool {
	switch c.State {
	case CallDialing, CallConnected, CallTransferred, CallNumberFailed:
		return true
	}
	return false
}
