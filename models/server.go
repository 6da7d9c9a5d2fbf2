package models

import "time"

// A Server is a program that serves phones from the database.
type Server struct {
	ID   string
	Name string
	Keys []KeyID   // of its keyset
	Seen time.Time // when it said so last
}
