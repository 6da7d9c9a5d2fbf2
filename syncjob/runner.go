package syncjob

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"dialtone/models"
)

const (
	lookEvery   = 500 * time.Millisecond // for jobs to take up, and for changes of those at work
	judgeEvery  = time.Second            // how a job stands
	lease       = 10 * time.Second       // after which another server takes over
	leaseMargin = 3 * time.Second        // before its end, a server that cannot renew it stops working
	maxJobs     = 20                     // that one server works on at once; others wait
	prepareStep = 500                    // devices listed at once
	batch       = 100                    // items read at once
	hands       = 8                      // phones of a job looked at together
	writeTime   = 5 * time.Second        // for what is written although work has ended
)

// How a NOTIFY that may or may not have reached its phone is repeated.
const (
	// repetition is how long a phone takes the same request over UDP for a
	// retransmission (RFC 3261, Timer J: 32 s), with something to spare.
	repetition = 25 * time.Second
	// forgotten is when it surely does not any more, and has had time to fetch.
	forgotten = 33 * time.Second
	// lost is when no attempt of a NOTIFY goes on any more.
	lost = 15 * time.Minute
)

// A Store keeps the jobs. Errors are the kinds of models.
type Store interface {
	PhoneByID(ctx context.Context, accountID, deviceID string) (*models.Phone, error)
	Bindings(ctx context.Context, deviceID string) ([]models.Binding, error)
	Notifications(ctx context.Context, deviceID string, limit int) ([]models.Notification, error)
	FetchedSince(ctx context.Context, deviceID string, since time.Time) (bool, error)

	LeaseSyncJobs(ctx context.Context, runner string, lease time.Duration, limit int) ([]*models.SyncJob, error)
	ReleaseSyncJobs(ctx context.Context, runner string) error
	PrepareSyncJob(ctx context.Context, j *models.SyncJob, runner string, limit int) (more bool, err error)
	TurnSyncJob(ctx context.Context, j *models.SyncJob, runner string, settled bool) error

	SyncCounts(ctx context.Context, jobID string) (models.SyncCounts, error)
	SyncItems(ctx context.Context, jobID, state, after string, limit int) ([]models.SyncItem, error)
	PendingSyncItems(ctx context.Context, jobID, after string, limit int) ([]string, error)
	ClaimSyncItem(ctx context.Context, jobID, deviceID, runner, replica string) (bool, error)
	ReclaimSyncItem(ctx context.Context, i models.SyncItem, claimed time.Time, runner, replica string) (bool, error)
	SkipSyncItem(ctx context.Context, jobID, deviceID, reason string) error
	ToldSyncItem(ctx context.Context, jobID, deviceID, state, reason string) error
	TurnSyncItems(ctx context.Context, j *models.SyncJob) error
}

// An Order is to tell one phone to fetch its files.
type Order struct {
	Job   *models.SyncJob
	Phone *models.Phone
	// ID is the same for every order of a job and phone: told twice, the phone
	// must hear one NOTIFY and its retransmission.
	ID    string
	Watch time.Duration // how long to look what the phone does
	// Done is called once with the best state of the phone's notifications, unless
	// the server stops before.
	Done func(state string)
}

// Config is what a Runner works with. All of it but Now is required.
type Config struct {
	Store   Store
	Replica string // this server's name, the same after a restart
	// Tell sends a phone its NOTIFY; it returns at once.
	Tell func(Order)
	// AwaitRoom waits while very many NOTIFYs are on their way, until ctx ends.
	AwaitRoom func(ctx context.Context)
	// InSync reports whether a phone has all its files as they are now.
	InSync func(ctx context.Context, p *models.Phone) (bool, error)
	Log    *slog.Logger
	Now    func() time.Time // nil = time.Now
}

// A Runner works on the jobs in storage. Any number of servers may have one:
// each job is at one of them at a time.
type Runner struct {
	Config
	id      string // of this process
	working map[string]*work
	running sync.WaitGroup
}

// New makes a Runner.
func New(cfg Config) *Runner {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Runner{Config: cfg, id: models.NewID(), working: map[string]*work{}}
}

// Run takes up jobs until ctx ends, and leaves them to other servers then.
func (r *Runner) Run(ctx context.Context) error {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	renewed := r.Now()
	for ctx.Err() == nil {
		jobs, err := r.lease(ctx)
		switch {
		case err == nil:
			renewed = r.Now()
			r.takeUp(ctx, jobs)
		case ctx.Err() == nil:
			r.Log.ErrorContext(ctx, "bulk jobs not looked for", "err", err)
			if r.Now().Sub(renewed) > lease-leaseMargin {
				r.takeUp(ctx, nil) // others may have them by now
			}
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
		}
	}
	r.takeUp(ctx, nil)
	r.running.Wait()
	r.release(ctx)
	return nil
}

func (r *Runner) lease(ctx context.Context) ([]*models.SyncJob, error) {
	ctx, cancel := context.WithTimeout(ctx, leaseMargin)
	defer cancel()
	return r.Store.LeaseSyncJobs(ctx, r.id, lease, maxJobs)
}

func (r *Runner) release(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := r.Store.ReleaseSyncJobs(ctx, r.id); err != nil {
		r.Log.WarnContext(ctx, "bulk jobs not released: others take them up later", "err", err)
	}
}

// takeUp begins to work on jobs that are new here, tells those at work what
// changed, and ends those that are not among them any more.
func (r *Runner) takeUp(ctx context.Context, jobs []*models.SyncJob) {
	mine := map[string]bool{}
	for _, j := range jobs {
		mine[j.ID] = true
		if w := r.working[j.ID]; w != nil {
			w.update(j)
			continue
		}
		w := newWork(ctx, r, j)
		r.working[j.ID] = w
		r.Log.InfoContext(ctx, "bulk job taken up", "job", j.ID, "account", j.AccountID, "state", j.State)
		r.running.Go(w.run)
	}
	for id, w := range r.working {
		if !mine[id] {
			w.cancel()
			delete(r.working, id)
		}
	}
}

// writing is a context for what must be written although work has ended.
func writing(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), writeTime)
}

// pause waits; false when ctx ended meanwhile.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// orderID names what a job tells a device.
func orderID(jobID, deviceID string) string { return "job " + jobID + " device " + deviceID }

// errStill means that a job does not run, or is not this server's any more.
var errStill = errors.New("the job stands still")
