package models

import (
	"fmt"
	"time"
)

// An Import is how far a large file of devices has come into an account. The
// zero one has not begun.
type Import struct {
	AccountID string
	FileHash  string // hex SHA-256 of the whole file

	Line     int // where the last row starts that was dealt with, from 1; 0 = none
	Stored   int // devices
	Bad      int // rows that were left out
	Finished bool
	Modified time.Time
}

// NewIDSeries makes ids for documents that are stored together. They ascend from
// a random beginning: a database puts them into its indexes beside each other.
func NewIDSeries() func() string {
	beginning, n := randomHex(12), uint32(0)
	return func() string {
		n++
		return fmt.Sprintf("%s%08x", beginning, n)
	}
}
