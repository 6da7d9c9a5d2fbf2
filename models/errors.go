package models

import "errors"

// The error kinds. What storage reports is one of these, or wraps one, unless
// the caller's context ended; each edge (REST, phone HTTP, SIP) translates them
// once.
var (
	ErrNotFound    = errors.New("not found")
	ErrInvalid     = errors.New("invalid")
	ErrConflict    = errors.New("changed by another writer")
	ErrTaken       = errors.New("belongs to another record") // always a TakenError
	ErrUnavailable = errors.New("storage is unavailable")
	ErrDescendants = errors.New("other accounts are below it")
	ErrQuota       = errors.New("more than may be kept")
	ErrBusy        = errors.New("too much is under way")
	ErrStillNeeded = errors.New("phones still need the secret before this one")
)

// A TakenError says that a value which must be unique belongs to another
// record. It is an ErrTaken.
type TakenError struct {
	Field string // document member, dotted: "mac_address", "sip.username"
}

func (e *TakenError) Error() string { return e.Field + " is taken" }

// Unwrap makes a TakenError an ErrTaken.
func (e *TakenError) Unwrap() error { return ErrTaken }
