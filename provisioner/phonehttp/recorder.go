package phonehttp

import (
	"context"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"dialtone/models"
)

const (
	recordQueue   = 10_000                 // fetches waiting to be written; more are dropped and counted
	recordBatch   = 500                    // written at once
	recordEvery   = 200 * time.Millisecond // how long a fetch waits for company
	recordTimeout = 5 * time.Second        // of one write
	recordAtEnd   = time.Second            // of writing when told to stop
	tellEvery     = time.Minute            // what is only counted
)

// FetchStore keeps the record of fetches.
type FetchStore interface {
	RecordFetches(ctx context.Context, fetches []models.Fetch) error
	// RecordRefusals adds to what is known of requests that were not let in.
	RecordRefusals(ctx context.Context, refusals []models.Refusal) error
	// DevicesByMAC finds the devices that have one of these MACs.
	DevicesByMAC(ctx context.Context, macs []string) (map[string]models.DeviceRef, error)
}

// A Recorder writes down fetches and refusals in batches, off the path of
// requests.
type Recorder struct {
	store     FetchStore
	log       *slog.Logger
	queue     chan models.Fetch
	refusals  chan models.Refusal
	dropped   atomic.Int64 // requests that no record was made of
	told      int64        // how many of them the log was told of
	strangers atomic.Int64 // requests refused that are of no account
	exposed   atomic.Int64 // files with secrets sent in the clear
}

// NewRecorder makes a Recorder; nothing is written before Run.
func NewRecorder(store FetchStore, log *slog.Logger) *Recorder {
	return &Recorder{store: store, log: log, queue: make(chan models.Fetch, recordQueue), refusals: make(chan models.Refusal, recordQueue)}
}

// Record takes a fetch and returns at once. When the database cannot keep up
// it is dropped: serving phones matters more.
func (r *Recorder) Record(f models.Fetch) {
	if f.Exposed {
		r.exposed.Add(1)
	}
	select {
	case r.queue <- f:
	default:
		r.dropped.Add(1)
	}
}

// Refused takes a refusal and returns at once, as Record does. One of no account
// is only counted: strangers could fill the database.
func (r *Recorder) Refused(refusal models.Refusal) {
	if refusal.AccountID == "" {
		r.strangers.Add(1)
		return
	}
	select {
	case r.refusals <- refusal:
	default:
		r.dropped.Add(1)
	}
}

// Dropped is how many requests no record was made of, since the queue was full.
func (r *Recorder) Dropped() int64 { return r.dropped.Load() }

// Run writes until ctx ends, then writes what is left and returns. Call it
// with a context that outlives the listeners.
func (r *Recorder) Run(ctx context.Context) {
	ticker, teller := time.NewTicker(recordEvery), time.NewTicker(tellEvery)
	defer ticker.Stop()
	defer teller.Stop()
	var batch []models.Fetch
	for {
		select {
		case f := <-r.queue:
			if batch = append(batch, f); len(batch) < recordBatch {
				continue
			}
		case <-teller.C:
			r.tell(ctx)
			continue
		case <-ticker.C:
		case <-ctx.Done():
			r.write(ctx, append(batch, waiting(r.queue, len(r.queue))...))
			r.writeRefusals(ctx, waiting(r.refusals, len(r.refusals)))
			r.tell(ctx)
			return
		}
		r.write(ctx, batch)
		r.writeRefusals(ctx, waiting(r.refusals, recordBatch))
		batch = nil
	}
}

// waiting takes what waits in a queue, and no more than most.
func waiting[Item any](queue chan Item, most int) []Item {
	var items []Item
	for len(items) < most && len(queue) > 0 {
		items = append(items, <-queue)
	}
	return items
}

// tell logs what is only counted.
func (r *Recorder) tell(ctx context.Context) {
	if n := r.strangers.Swap(0); n > 0 {
		r.log.WarnContext(ctx, "phone requests of no account were refused", "count", n)
	}
	if n := r.exposed.Swap(0); n > 0 {
		r.log.WarnContext(ctx, "files with secrets were sent in the clear: let phones fetch by HTTPS", "count", n)
	}
}

// soon is a time limit for writing. Told to stop, it goes on for a moment.
func soon(parent context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(parent), recordTimeout)
	stop := context.AfterFunc(parent, func() { time.AfterFunc(recordAtEnd, cancel) })
	return ctx, func() { stop(); cancel() }
}

// write stores a batch of fetches.
func (r *Recorder) write(parent context.Context, batch []models.Fetch) {
	ctx, cancel := soon(parent)
	defer cancel()
	r.attribute(ctx, batch)
	if err := r.store.RecordFetches(ctx, batch); err != nil {
		r.log.ErrorContext(ctx, "fetches not recorded", "count", len(batch), "err", err)
	}
	if dropped := r.dropped.Load(); dropped > r.told {
		r.log.WarnContext(ctx, "requests not recorded", "count", dropped-r.told, "err", "the queue was full")
		r.told = dropped
	}
}

func (r *Recorder) writeRefusals(parent context.Context, batch []models.Refusal) {
	ctx, cancel := soon(parent)
	defer cancel()
	if err := r.store.RecordRefusals(ctx, batch); err != nil {
		r.log.ErrorContext(ctx, "refusals not recorded", "count", len(batch), "err", err)
	}
}

// attribute finds the phones that fetched common files: the path names none, but
// their User-Agent may, and for the record that is good enough within one account.
func (r *Recorder) attribute(ctx context.Context, batch []models.Fetch) {
	var macs []string
	for _, f := range batch {
		if isCommon(f) {
			macs = append(macs, f.MAC)
		}
	}
	if len(macs) == 0 {
		return
	}
	devices, err := r.store.DevicesByMAC(ctx, macs)
	if err != nil {
		r.log.WarnContext(ctx, "phones of common files not found", "err", err)
		return
	}
	for i, f := range batch {
		if device, known := devices[f.MAC]; known && isCommon(f) && device.AccountID == f.AccountID {
			batch[i].DeviceID = device.ID
		}
	}
}

// isCommon reports whether a file was served to a phone that only its User-Agent
// names.
func isCommon(f models.Fetch) bool {
	return f.DeviceID == "" && f.MAC != "" && f.Status < http.StatusBadRequest
}
