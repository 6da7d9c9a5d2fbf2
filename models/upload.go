package models

import "time"

// An Upload is a file that a phone keeps at the server: a log, what its user
// changed on it, a directory. It may hold the phone's passwords.
type Upload struct {
	DeviceID    string
	MAC         MAC    // of the phone that sends it, zero = whatever the device's is; not stored
	Name        string // as the brand's manifest matches it, the MAC in lower case
	ContentType string
	ETag        string // without quotes: the same bytes have the same ETag
	Bytes       int64
	Body        []byte // nil in lists
	Modified    time.Time
}

// An UploadQuota bounds what one device may keep.
type UploadQuota struct {
	Files int
	Bytes int64 // of all its files together
}
