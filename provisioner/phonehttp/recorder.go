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
)

// FetchStore keeps the record of fetches.
type FetchStore interface {
	RecordFetches(ctx context.Context, fetches []models.Fetch) error
	PhoneByMAC(ctx context.Context, mac models.MAC) (*models.Phone, error)
}

// A Recorder writes down fetches in batches, off the path of requests.
type Recorder struct {
	store   FetchStore
	log     *slog.Logger
	queue   chan models.Fetch
	dropped atomic.Int64
}

// NewRecorder makes a Recorder; nothing is written before Run.
func NewRecorder(store FetchStore, log *slog.Logger) *Recorder {
	return &Recorder{store: store, log: log, queue: make(chan models.Fetch, recordQueue)}
}

// Record takes a fetch and returns at once. When the database cannot keep up
// it is dropped: serving phones matters more.
func (r *Recorder) Record(f models.Fetch) {
	select {
	case r.queue <- f:
	default:
		r.dropped.Add(1)
	}
}

// Run writes until ctx ends, then writes what is left and returns. Call it
// with a context that outlives the listeners.
func (r *Recorder) Run(ctx context.Context) {
	ticker := time.NewTicker(recordEvery)
	defer ticker.Stop()
	var batch []models.Fetch
	for {
		select {
		case f := <-r.queue:
			if batch = append(batch, f); len(batch) < recordBatch {
				continue
			}
		case <-ticker.C:
		case <-ctx.Done():
			for len(r.queue) > 0 {
				batch = append(batch, <-r.queue)
			}
			r.write(ctx, batch)
			return
		}
		r.write(ctx, batch)
		batch = nil
	}
}

// write stores a batch. Told to stop, it goes on for a moment.
func (r *Recorder) write(parent context.Context, batch []models.Fetch) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(parent), recordTimeout)
	defer cancel()
	defer context.AfterFunc(parent, func() { time.AfterFunc(recordAtEnd, cancel) })()
	for i := range batch {
		r.attribute(ctx, &batch[i])
	}
	if err := r.store.RecordFetches(ctx, batch); err != nil {
		r.log.ErrorContext(ctx, "fetches not recorded", "count", len(batch), "err", err)
	}
	if dropped := r.dropped.Swap(0); dropped > 0 {
		r.log.WarnContext(ctx, "fetches not recorded", "count", dropped, "err", "the queue was full")
	}
}

// attribute finds the phone that fetched a common file: the path names none,
// but its User-Agent may, and for the record that is good enough within one
// account.
func (r *Recorder) attribute(ctx context.Context, f *models.Fetch) {
	if f.DeviceID != "" || f.MAC == "" || f.Status >= http.StatusBadRequest {
		return
	}
	mac, err := models.ParseMAC(f.MAC)
	if err != nil {
		return
	}
	if phone, err := r.store.PhoneByMAC(ctx, mac); err == nil && phone.Account.ID == f.AccountID {
		f.DeviceID = phone.Device.ID
	}
}
