package models

import (
	"fmt"
	"time"
)

// The states of a SyncJob.
const (
	SyncPreparing = "preparing" // its devices are being listed
	SyncRunning   = "running"
	SyncPaused    = "paused"    // by an administrator
	SyncStopped   = "stopped"   // by itself: too many phones did not come back
	SyncCancelled = "cancelled" // for good
	SyncFinished  = "finished"
)

// The states of a SyncItem.
const (
	ItemPending     = "pending"     // not told yet
	ItemSending     = "sending"     // being told
	ItemWaiting     = "waiting"     // told, and not back yet
	ItemReturned    = "returned"    // it came back
	ItemMissing     = "missing"     // it was told and did not come back in time
	ItemRefused     = "refused"     // it answered that it does not obey
	ItemUnreachable = "unreachable" // not registered, or no answer
	ItemSkipped     = "skipped"     // there was nothing to tell it
)

// ItemStates are all states of a SyncItem.
var ItemStates = []string{
	ItemPending, ItemSending, ItemWaiting, ItemReturned, ItemMissing, ItemRefused, ItemUnreachable, ItemSkipped,
}

// What a phone must have done to have come back.
const (
	BackFetched    = "fetched"    // a file
	BackRegistered = "registered" // a file, and registered after that
)

// A SyncJob tells many phones of an account to fetch their files again.
type SyncJob struct {
	ID        string
	AccountID string
	Filter    SyncFilter
	Event     string        // the Event header; "" = the check-sync of each phone's brand
	Mode      string        // of that check-sync: "", "reboot" or "reload"
	Rate      int           // phones told per second
	Canary    int           // how many are told first, and waited for; 0 = none
	StopAbove *int          // percent of those done that may be missing; nil = all
	Patience  time.Duration // how long a phone may take to come back
	ComeBack  string        // BackFetched or BackRegistered

	State      string
	Reason     string // why it stopped
	Prepared   bool   // all its devices are listed
	CanaryDone bool   // the first ones came back, or were told to be enough
	// What was done, and missing of it, when it was last resumed after it had
	// stopped: those are forgiven.
	BaseDone, BaseMissing int

	Created, Modified time.Time
	Finished          time.Time // zero while it may go on
}

// A SyncFilter says which devices of an account a job is for: those with all
// of what is not empty.
type SyncFilter struct {
	Brand   string   `json:"brand,omitempty"`
	Family  string   `json:"family,omitempty"`
	Model   string   `json:"model,omitempty"`
	OwnerID string   `json:"owner_id,omitempty"`
	Behind  bool     `json:"behind,omitempty"`  // and whose phones have not all their files as they are now
	Devices []string `json:"devices,omitempty"` // ids
}

// A SyncItem is one device of a job.
type SyncItem struct {
	JobID, DeviceID string
	State           string
	Reason          string
	Replica         string    // server that told it
	Claimed         time.Time // right before it was told
	Told            time.Time // it has answered, or was given up; zero before
	Fetched         time.Time // its first fetch since Claimed
	Registered      time.Time // its first registration known of since Fetched
}

// SyncCounts are how many of a job's items are in each state.
type SyncCounts map[string]int

// Total is the number of all items.
func (c SyncCounts) Total() int {
	total := 0
	for _, n := range c {
		total += n
	}
	return total
}

// Told is how many phones were told or are being.
func (c SyncCounts) Told() int {
	return c[ItemSending] + c[ItemWaiting] + c[ItemReturned] + c[ItemMissing]
}

// Active reports whether phones are being told or waited for.
func (c SyncCounts) Active() bool { return c[ItemSending]+c[ItemWaiting] > 0 }

// Left is how many items may still change.
func (c SyncCounts) Left() int { return c[ItemPending] + c[ItemSending] + c[ItemWaiting] }

// Progress is how many percent of the items are done.
func (c SyncCounts) Progress() int {
	total := c.Total()
	if total == 0 {
		return 0
	}
	return (total - c.Left()) * 100 / total
}

// Ended reports whether the job is over for good.
func (j *SyncJob) Ended() bool { return j.State == SyncCancelled || j.State == SyncFinished }

// Become takes a job that has not ended to what an administrator asks for:
// paused, running or cancelled. One that stopped by itself goes on when it is
// told to run, and what was missing until then is forgiven.
func (j *SyncJob) Become(state string, counts SyncCounts, now time.Time) {
	switch {
	case state == SyncCancelled:
		j.State, j.Finished = SyncCancelled, now
	case state == SyncPaused && j.State != SyncStopped:
		j.State = SyncPaused
	case state == SyncRunning:
		if j.State == SyncStopped {
			j.CanaryDone, j.Reason = true, ""
			j.BaseDone, j.BaseMissing = counts[ItemReturned]+counts[ItemMissing], counts[ItemMissing]
		}
		j.State = SyncPreparing
		if j.Prepared {
			j.State = SyncRunning
		}
	}
}

// leastDone is how many phones must be done before their share says something.
// The canary says it at its end, however small it is.
const leastDone = 10

// TooMany says why the job has to stop, "" when it has not.
func (j *SyncJob) TooMany(counts SyncCounts, canaryEnds bool) string {
	missing := counts[ItemMissing] - j.BaseMissing
	done := counts[ItemReturned] + counts[ItemMissing] - j.BaseDone
	if j.StopAbove == nil || done == 0 || done < leastDone && !canaryEnds || missing*100 <= *j.StopAbove*done {
		return ""
	}
	return fmt.Sprintf("%d of %d phones did not come back within %v: more than %d %%", missing, done, j.Patience, *j.StopAbove)
}
