package models

import (
	"errors"
	"fmt"
)

// The error kinds. Every error that crosses a package boundary is one of
// these, or wraps one; each edge (REST, phone HTTP, SIP) translates them once.
var (
	ErrNotFound    = errors.New("not found")
	ErrInvalid     = errors.New("invalid")
	ErrConflict    = errors.New("changed by another writer")
	ErrUnavailable = errors.New("storage is unavailable")
)

// A TakenError says that a value which must be unique belongs to another
// record. It is an ErrConflict.
type TakenError struct {
	Field string // document member, dotted: "mac_address", "sip.username"
	Value string // the value as it was compared
}

func (e *TakenError) Error() string {
	return fmt.Sprintf("%s %q is taken", e.Field, e.Value)
}

// Is makes a TakenError an ErrConflict.
func (e *TakenError) Is(target error) bool { return target == ErrConflict }
